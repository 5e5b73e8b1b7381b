"""The pure rules of batches, as tables: what a batch is about, what it may hold, and what Gemini's words mean."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from entity_pipeline.core.gemini.batch import (
    BatchOutcome,
    Standing,
    admit_batch,
    content_hash,
    new_name,
    submission_opens_at,
)
from entity_pipeline.core.gemini.batch_answers import read_lines, read_operation, read_page
from entity_pipeline.core.gemini.ledger import Admitted, InFlight, LedgerView, Refused, Replay
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.outcomes import StoredReply
from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.gemini.request import Text
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import most_token_cost_usd
from entity_pipeline.resources.gemini.errors import ErrorKind, classify_error
from entity_pipeline_tests.resources.gemini.batch_cases import MODEL, call_about, calls_about

NOW = datetime(2026, 12, 5, 12, tzinfo=UTC)
ASKED = MODELS[MODEL]
ONE = most_token_cost_usd(ASKED, call_about("one.0").request, date(2026, 12, 5), in_batch=True)


def view(**changes: Any) -> LedgerView:
    values: dict[str, Any] = {
        "now": NOW,
        "quota_day": date(2026, 12, 5),
        "settings": GeminiSettings(daily_spend_usd=100.0),
        "closed": None,
        "billed_as": None,
        "units_in_period": 0,
        "units_today": 0,
        "reserved_today": 0,
        "spent_usd": Decimal(0),
        "month_spent_usd": None,
        "domain_spent_usd": Decimal(0),
        "requests_last_minute": 0,
        "minute_frees_at": None,
        "blocked_until": None,
    }
    return LedgerView(**values | changes)


def decided(standings: dict[str, Standing] | None = None, **changes: Any) -> list[str]:
    decisions = admit_batch(view(**changes), calls_about(4), ASKED, standings or {})
    return [
        decision.why.value if isinstance(decision, Refused) else type(decision).__name__
        for decision in decisions.values()
    ]


def spending(**limits: Any) -> GeminiSettings:
    return GeminiSettings(daily_spend_usd=limits.pop("daily_spend_usd", 100.0), **limits)


@pytest.mark.parametrize(
    ("changes", "admitted", "others"),
    [
        ({}, 4, None),
        ({"settings": spending(daily_spend_usd=float(ONE * 3))}, 3, "spend_reached"),
        ({"settings": spending(daily_spend_usd=float(ONE * 3)), "spent_usd": ONE}, 2, "spend_reached"),
        (
            {"settings": spending(monthly_spend_usd=float(ONE * 2)), "month_spent_usd": Decimal(0)},
            2,
            "spend_reached",
        ),
        ({"settings": spending(shares={"entities": float(ONE)})}, 1, "spend_reached"),
        ({"settings": spending(shares={"others": 0.0})}, 4, None),
        ({"requests_last_minute": 199}, 4, None),
        ({"requests_last_minute": 200}, 0, "rate_limited"),
        ({"closed": because("not_stored")}, 0, "closed"),
        ({"billed_as": "gemini-2.5-flash"}, 0, "model_replaced"),
        ({"blocked_until": NOW + timedelta(hours=1)}, 4, None),
    ],
)
def test_a_batch_holds_what_the_limits_leave_each_request_after_the_other(
    changes: dict[str, Any], admitted: int, others: str | None
) -> None:
    expected = ["Admitted"] * admitted + [str(others)] * (4 - admitted)
    assert decided(**changes) == expected


def test_claimed_subjects_and_paid_replies_hold_no_money() -> None:
    reply = StoredReply("1", {}, MODEL, "i")
    standings = {"one.0": Standing(NOW + timedelta(minutes=9)), "one.1": Standing(replay=reply)}
    changes = {"settings": spending(daily_spend_usd=float(ONE * 2))}
    assert decided(standings, **changes) == ["InFlight", "Replay", "Admitted", "Admitted"]
    decisions = admit_batch(view(), calls_about(2), ASKED, standings)
    assert decisions == {"one.0": InFlight(NOW + timedelta(minutes=9)), "one.1": Replay(reply)}


def test_a_request_holds_half_of_what_it_would_hold_alone() -> None:
    [decision] = admit_batch(view(), calls_about(1), ASKED, {}).values()
    assert isinstance(decision, Admitted)
    alone = most_token_cost_usd(ASKED, call_about("one.0").request, date(2026, 12, 5))
    assert decision.cost_usd == ONE
    assert abs(ONE * 2 - alone) <= Decimal("0.000001")


def test_cached_tokens_keep_their_price_in_a_batch() -> None:
    for model in MODELS.values():
        single, batch = (model.price_on(date(2027, 1, 1), in_batch=in_batch) for in_batch in (False, True))
        assert (batch.input, batch.cached, batch.output) == (
            single.input / 2,
            single.cached,
            single.output / 2,
        )


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        ([call_about("b"), call_about("a")], True),
        ([call_about("a")], False),
        ([call_about("a"), call_about("c")], False),
        ([call_about("a"), call_about("b", input_hash="other")], False),
        ([call_about("a", version="2"), call_about("b")], False),
        ([call_about("a", model="gemini-2.5-flash"), call_about("b", model="gemini-2.5-flash")], False),
    ],
)
def test_a_batch_is_about_its_subjects_inputs_and_questions(changed: list[Any], is_same: bool) -> None:
    assert (content_hash(changed) == content_hash([call_about("a"), call_about("b")])) is is_same


def test_a_name_fits_a_file_and_is_never_given_twice() -> None:
    calls = calls_about(2)
    names = {new_name(calls, content_hash(calls)) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith(f"entities-{content_hash(calls)[:16]}-") for name in names)
    assert all(len(name) <= 63 for name in names)


def test_a_batch_larger_than_a_file_is_refused_before_its_pictures_are_read() -> None:
    huge = Picture("image/jpeg", "0" * 64, 1_600_000_000, lambda: bytes(1 // 0))
    call = call_about("a")
    with pytest.raises(ValueError, match="more than"):
        content_hash([replace(call, request=replace(call.request, parts=(Text("x"), huge)))])


@pytest.mark.parametrize(
    ("refusals", "pause"),
    [(0, None), (1, "0:15:00"), (2, "0:30:00"), (3, "1:00:00"), (6, "6:00:00"), (60, "6:00:00")],
)
def test_refusals_for_quota_put_batches_off_for_longer_each_time(refusals: int, pause: str | None) -> None:
    opens_at = submission_opens_at(refusals, NOW)
    assert (None if opens_at is None else str(opens_at - NOW)) == pause


DONE = BatchOutcome.COLLECTED


@pytest.mark.parametrize(
    ("body", "state", "outcome"),
    [
        ({"metadata": {"state": "BATCH_STATE_PENDING"}}, "PENDING", None),
        ({"metadata": {"state": "JOB_STATE_QUEUED"}}, "QUEUED", None),
        ({"metadata": {"state": "BATCH_STATE_SUCCEEDED"}, "done": True}, "SUCCEEDED", DONE),
        ({"metadata": {"state": "JOB_STATE_SUCCEEDED"}}, "SUCCEEDED", DONE),
        (
            {"metadata": {"state": "JOB_STATE_PARTIALLY_SUCCEEDED"}, "done": False},
            "PARTIALLY_SUCCEEDED",
            DONE,
        ),
        ({"metadata": {"state": "BATCH_STATE_FAILED"}}, "FAILED", BatchOutcome.FAILED),
        ({"metadata": {"state": "BATCH_STATE_EXPIRED"}}, "EXPIRED", BatchOutcome.EXPIRED),
        ({"metadata": {"state": "JOB_STATE_CANCELLED"}}, "CANCELLED", BatchOutcome.CANCELLED),
        ({"metadata": {"state": "JOB_STATE_CANCELLING"}}, "CANCELLING", None),
        ({"metadata": {"state": "BATCH_STATE_NEW"}}, "NEW", None),
        ({"metadata": {"state": "BATCH_STATE_NEW"}, "done": True}, "NEW", DONE),
        ({"done": True, "error": {"code": 3}}, "UNSPECIFIED", BatchOutcome.FAILED),
        ({}, "UNSPECIFIED", None),
        ([1], "UNSPECIFIED", None),
        ({"metadata": {"state": 7}}, "UNSPECIFIED", None),
    ],
)
def test_a_state_is_read_with_either_prefix_and_an_unknown_one_is_no_end(
    body: Any, state: str, outcome: BatchOutcome | None
) -> None:
    operation = read_operation(body)
    assert (operation.state, operation.outcome) == (state, outcome)


INLINE = [{"response": {}, "metadata": {"key": "a"}}]


@pytest.mark.parametrize(
    ("body", "file", "inlined"),
    [
        ({"metadata": {"output": {"responsesFile": "files/x"}}}, "files/x", []),
        ({"response": {"responsesFile": "files/x"}}, "files/x", []),
        ({"metadata": {"output": {"inlinedResponses": {"inlinedResponses": INLINE}}}}, None, INLINE),
        ({"response": {"inlinedResponses": INLINE}}, None, INLINE),
        ({"metadata": {"output": {"inlinedResponses": None}}}, None, []),
        ({"metadata": {"output": []}, "response": "x"}, None, []),
    ],
)
def test_results_are_found_in_either_place_and_form(body: Any, file: str | None, inlined: list[Any]) -> None:
    operation = read_operation(body)
    assert (operation.results_file, operation.inlined) == (file, inlined)


def test_a_page_of_the_list_is_read_whatever_is_in_it() -> None:
    body = {"operations": [{"name": "batches/1", "metadata": {"displayName": "d"}}, 7], "nextPageToken": "2"}
    operations, token = read_page(body)
    assert [(one.google_name, one.display_name) for one in operations] == [("batches/1", "d"), (None, None)]
    assert token == "2"
    assert read_page({}) == ([], None)


def test_lines_without_a_key_or_a_result_are_left_out_and_no_line_raises() -> None:
    lines = [
        b'{"key": "a", "response": {"x": "1\xe2\x80\xa82"}}\n',
        b'{"metadata": {"key": "b"}, "error": {"code": 3, "details": [{"n": 1}]}}\n',
        b'{"response": {}}\n',
        b'{"key": 7, "response": {}}\n',
        b'{"key": "c", "response": []}\n',
        b'{"key": "d", "resp',
        b"\xff\xfe\n",
        b"[" * 5_000,
        b"\n",
        b"null",
    ]
    read = list(read_lines(iter(lines)))
    assert Counter(line.key for line in read) == {"a": 1, "b": 1}
    assert read[0].reply == {"x": "1\u20282"}
    assert (read[1].reply, read[1].code) == (None, 400)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (3, ErrorKind.REFUSED),
        (5, ErrorKind.REFUSED),
        (7, ErrorKind.REFUSED),
        (8, ErrorKind.OVERLOADED),
        (13, ErrorKind.OVERLOADED),
        (14, ErrorKind.OVERLOADED),
        (400, ErrorKind.REFUSED),
        (503, ErrorKind.OVERLOADED),
        ("x", ErrorKind.OVERLOADED),
    ],
)
def test_the_error_of_one_request_is_judged_like_an_answer_of_http(code: Any, kind: ErrorKind) -> None:
    [line] = read_lines([{"key": "a", "error": {"code": code, "message": "m"}}])
    assert classify_error(line.code, line.error, grounded=False).kind is kind
