"""Batches end to end: the real google-genai over real sockets, a real ledger, and the stand-in's good and bad days."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from entity_pipeline.core.failures import ModelUnavailable, TransientFailure
from entity_pipeline.core.gemini.batch import BatchEnded, BatchOutcome, BatchTicket, BatchWaits, DeletedInputs
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, Unanswered
from entity_pipeline.core.gemini.request import Text, Tool
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline.sandbox.gemini_standin import GeminiStandin
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.stop import ImpatientStop
from entity_pipeline_tests.resources.gemini.batch_cases import (
    PICTURE,
    bill,
    call_about,
    calls_about,
    ended,
    figures,
    installed,
    outcomes,
    pass_time,
    resource,
    submitted,
    unanswered,
)
from entity_pipeline_tests.resources.gemini.ledger_cases import STEP, limit, limited, row_of


@pytest.fixture
def both(assets_db: ClonedDatabase) -> Iterator[tuple[GeminiResource, GeminiStandin]]:
    with installed(assets_db) as made:
        yield made


Both = tuple[GeminiResource, GeminiStandin]


def test_a_batch_is_paid_at_half_price_to_the_cent_and_collected_once(
    assets_db: ClonedDatabase, both: Both
) -> None:
    gemini, standin = both
    name = submitted(gemini, calls_about(7))
    assert standin.batches.display_names == [name]
    held, states = figures(assets_db)
    assert states == {"sent": 7}
    assert gemini.open_batches(STEP) == [name]
    waiting = gemini.collect(name)
    assert isinstance(waiting, BatchWaits)
    assert (waiting.said, waiting.is_overdue) == ("RUNNING", False)
    assert ended(gemini, name) == BatchEnded(name, BatchOutcome.COLLECTED, {"settled": 7})
    spent, _ = figures(assets_db)
    assert spent == bill(standin) > 0
    assert spent < held
    answers = dict(gemini.answers(name))
    assert len(answers) == 7
    assert all(isinstance(answer, Answered) for answer in answers.values())
    assert gemini.open_batches(STEP) == []
    assert ended(gemini, name).requests == {"settled": 7}
    assert figures(assets_db)[0] == spent


def test_the_row_of_a_request_says_what_was_sent_and_holds_no_picture(
    assets_db: ClonedDatabase, both: Both
) -> None:
    gemini, _ = both
    limit(assets_db, limited(keep_requests="full"))
    name = submitted(gemini, calls_about(1))
    ended(gemini, name)
    [(_, answer)] = gemini.answers(name)
    assert isinstance(answer, Answered)
    row = row_of(assets_db, answer.reply.event_id)
    assert row["request"]["parts"][1] == {"picture": PICTURE.mark()}
    assert (row["batch_name"], row["latency_ms"], row["grounded"]) == (name, None, False)
    assert row["input_hash"] == answer.reply.input_hash == "input of one.0"


def test_answers_are_matched_by_key_although_their_order_differs(both: Both) -> None:
    gemini, standin = both
    name = submitted(gemini, calls_about(5))
    ended(gemini, name)
    keys = {one.key for one in standin.batches.billed}
    assert {
        answer.reply.event_id for _, answer in gemini.answers(name) if isinstance(answer, Answered)
    } == keys


def test_the_same_calls_submitted_again_are_the_same_batch(both: Both) -> None:
    gemini, standin = both
    first, again = submitted(gemini, calls_about(3)), submitted(gemini, list(reversed(calls_about(3))))
    assert first == again
    assert standin.batches.display_names == [first]


def test_two_submitters_at_once_make_one_batch(assets_db: ClonedDatabase, both: Both) -> None:
    _, standin = both
    others = [resource(assets_db.url, standin.url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        tickets = list(pool.map(lambda one: one.submit(calls_about(3), run_id="r"), others))
    made = [ticket for ticket in tickets if isinstance(ticket, BatchTicket)]
    assert len(standin.batches.display_names) == 1
    assert {ticket.name for ticket in made} == set(standin.batches.display_names)
    assert all(ticket.reason is Unanswered.IN_FLIGHT for ticket in tickets if isinstance(ticket, NotAnswered))
    assert figures(assets_db)[1] == {"sent": 3}


def test_two_collectors_at_once_settle_once(assets_db: ClonedDatabase, both: Both) -> None:
    gemini, standin = both
    standin.batches.bad_days.looks_until_ended = 0
    name = submitted(gemini, calls_about(20))
    others = [resource(assets_db.url, standin.url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda one: one.collect(name), others))
    assert seen == [BatchEnded(name, BatchOutcome.COLLECTED, {"settled": 20})] * 4
    assert figures(assets_db)[0] == bill(standin)


def test_what_is_paid_for_is_replayed_and_the_rest_is_submitted(both: Both) -> None:
    gemini, standin = both
    ended(gemini, submitted(gemini, calls_about(2)))
    ticket = gemini.submit(calls_about(3), run_id="run-2")
    assert isinstance(ticket, BatchTicket)
    assert ticket.subjects == {"one.2"}
    assert set(ticket.replayed) == {"one.0", "one.1"}
    assert all(answer.replayed for answer in ticket.replayed.values())
    assert ended(gemini, str(ticket.name)).requests == {"settled": 1}
    everything = gemini.submit(calls_about(3), run_id="run-3")
    assert isinstance(everything, BatchTicket)
    assert (everything.name, everything.subjects, len(everything.replayed)) == (None, frozenset(), 3)
    assert len(standin.batches.billed) == 3


def test_a_reply_that_the_caller_has_used_is_asked_for_again(both: Both) -> None:
    gemini, standin = both
    name = submitted(gemini, calls_about(1))
    ended(gemini, name)
    [(_, answer)] = gemini.answers(name)
    assert isinstance(answer, Answered)
    again = call_about("one.0", consumed_event_id=answer.reply.event_id)
    assert submitted(gemini, [again]) != name
    assert len(standin.batches.display_names) == 2


def test_a_subject_in_a_batch_is_claimed_for_as_long_as_the_batch_is_open(
    assets_db: ClonedDatabase, both: Both
) -> None:
    gemini, standin = both
    name = submitted(gemini, calls_about(2))
    pass_time(assets_db, "10 hours")
    assert gemini.sweep() == 0
    alone = gemini.ask(
        call_about("one.0"),
        run_id="run-2",
        stop=ImpatientStop(),
        deadline=datetime.now(UTC) + timedelta(minutes=1),
    )
    assert isinstance(alone, NotAnswered)
    assert alone.reason is Unanswered.IN_FLIGHT
    assert alone.retry_at is not None
    assert alone.retry_at > datetime.now(UTC)
    other = gemini.submit([*calls_about(2), call_about("two")], run_id="run-3")
    assert isinstance(other, BatchTicket)
    assert other.subjects == {"two"}
    assert {left.reason for left in other.left_out.values()} == {Unanswered.IN_FLIGHT}
    assert ended(gemini, name).requests == {"settled": 2}
    assert len(standin.batches.display_names) == 2


def test_limits_hold_for_the_whole_batch_at_its_price(assets_db: ClonedDatabase, both: Both) -> None:
    gemini, _ = both
    submitted(gemini, [call_about("probe")])
    one, _ = figures(assets_db)
    limit(assets_db, limited(daily_spend_usd=float(one * 4)))
    ticket = gemini.submit(calls_about(5), run_id="run-1")
    assert isinstance(ticket, BatchTicket)
    assert len(ticket.subjects) == 3
    assert {left.reason for left in ticket.left_out.values()} == {Unanswered.SPEND_REACHED}
    assert figures(assets_db)[0] <= one * 4
    nothing = gemini.submit(calls_about(9)[5:], run_id="run-1")
    assert isinstance(nothing, NotAnswered)
    assert nothing.reason is Unanswered.SPEND_REACHED


@pytest.mark.parametrize(
    "limits", [{"monthly_spend_usd": 0.0}, {"shares": {"entities": 0.0}}, {"daily_spend_usd": 0.0}]
)
def test_each_limit_of_the_row_holds_for_batches(
    assets_db: ClonedDatabase, both: Both, limits: dict[str, object]
) -> None:
    gemini, standin = both
    limit(assets_db, limited(**limits))
    ticket = gemini.submit(calls_about(1), run_id="run-1")
    assert isinstance(ticket, NotAnswered)
    assert ticket.reason is Unanswered.SPEND_REACHED
    assert standin.batches.display_names == []


def test_a_batch_counts_as_one_request_of_the_minute(assets_db: ClonedDatabase, both: Both) -> None:
    gemini, _ = both
    limit(assets_db, limited(requests_per_minute=2))
    submitted(gemini, calls_about(5))
    submitted(gemini, [call_about("two")])
    third = gemini.submit([call_about("three")], run_id="run-1")
    assert isinstance(third, NotAnswered)
    assert third.reason is Unanswered.RATE_LIMITED


def test_a_closed_row_lets_nothing_out(assets_db: ClonedDatabase, both: Both) -> None:
    gemini, standin = both
    limit(assets_db, is_enabled=False)
    ticket = gemini.submit(calls_about(1), run_id="run-1")
    assert isinstance(ticket, NotAnswered)
    assert ticket.reason is Unanswered.CLOSED
    assert standin.requests["by_status"] == {}


@pytest.mark.parametrize(
    ("bad", "found", "states"),
    [
        ("half_missing", {"answered": 5, "no_reply": 4}, {"settled": 5, "unknown": 4}),
        ("doubled", {"answered": 7, "no_reply": 2}, {"settled": 7, "unknown": 2}),
        ("foreign", {"answered": 9}, {"settled": 9}),
        ("broken_lines", {"answered": 9}, {"settled": 9}),
        ("separators", {"answered": 9}, {"settled": 9}),
        ("inline", {"answered": 9}, {"settled": 9}),
        ("cut", {"answered": 9}, {"settled": 9}),
        ("gone", {"no_reply": 9}, {"unknown": 9}),
        ("no_usage", {"answered": 9}, {"settled": 9}),
        ("errors", {"answered": 6, "refused": 1, "overloaded": 2}, {"settled": 6, "failed": 3}),
    ],
)
@pytest.mark.parametrize("prefix", ["BATCH_STATE_", "JOB_STATE_"])
def test_bad_results_leave_each_request_answered_or_with_a_reason(
    assets_db: ClonedDatabase,
    both: Both,
    bad: str,
    found: dict[str, int],
    states: dict[str, int],
    prefix: str,
) -> None:
    gemini, standin = both
    standin.batches.bad_days.results = {bad}
    standin.batches.bad_days.prefix = prefix
    name = submitted(gemini, calls_about(9))
    held, _ = figures(assets_db)
    assert ended(gemini, name).requests == states
    assert outcomes(gemini, name) == found
    spent, _ = figures(assets_db)
    if bad == "no_usage":
        assert spent == held
    elif "unknown" in states:
        assert spent >= bill(standin)
    else:
        assert spent == bill(standin)
    assert {row.reason for row in unanswered(gemini, name).values()} <= {
        Unanswered.NO_REPLY,
        Unanswered.REFUSED,
        Unanswered.OVERLOADED,
    }


def test_errors_with_details_hide_neither_the_answers_nor_the_list(both: Both) -> None:
    gemini, standin = both
    standin.batches.bad_days.results = {"inline", "errors"}
    first = submitted(gemini, calls_about(4))
    assert ended(gemini, first).requests == {"settled": 2, "failed": 2}
    standin.batches.bad_days.create = ["overloaded_made"]
    assert ended(gemini, submitted(gemini, [call_about("two")])).outcome is BatchOutcome.COLLECTED


@pytest.mark.parametrize(
    ("state", "outcome", "requests"),
    [
        ("PARTIALLY_SUCCEEDED", BatchOutcome.COLLECTED, {"settled": 3}),
        ("EXPIRED", BatchOutcome.EXPIRED, {"unknown": 3}),
        ("FAILED", BatchOutcome.FAILED, {"failed": 3}),
        ("CANCELLED", BatchOutcome.CANCELLED, {"unknown": 3}),
    ],
)
def test_each_end_of_a_batch_ends_its_requests_and_frees_their_subjects(
    both: Both, state: str, outcome: BatchOutcome, requests: dict[str, int]
) -> None:
    gemini, standin = both
    standin.batches.bad_days.ends_as = state
    name = submitted(gemini, calls_about(3))
    seen = ended(gemini, name)
    assert (seen.outcome, seen.requests) == (outcome, requests)
    if "settled" not in requests:
        assert submitted(gemini, calls_about(3)) != name


def test_a_failed_batch_is_not_said_to_be_an_http_error(both: Both) -> None:
    gemini, standin = both
    standin.batches.bad_days.ends_as = "FAILED"
    name = submitted(gemini, calls_about(1))
    ended(gemini, name)
    [(_, answer)] = gemini.answers(name)
    assert isinstance(answer, NotAnswered)
    assert answer.reason is Unanswered.OVERLOADED
    assert str(answer.detail).startswith("The batch ended without an answer to this request (")


def test_a_batch_that_never_ends_is_overdue_then_given_up(assets_db: ClonedDatabase, both: Both) -> None:
    gemini, standin = both
    standin.batches.bad_days.ends_as = "THINKING_ABOUT_IT"
    name = submitted(gemini, calls_about(2))
    ages = [("0 hours", False), ("26 hours", True), ("23 hours", True)]
    for hours, is_overdue in ages:
        pass_time(assets_db, hours)
        for _ in range(2):
            seen = gemini.collect(name)
            assert isinstance(seen, BatchWaits)
            assert seen.is_overdue is is_overdue
    assert seen.said == "THINKING_ABOUT_IT"
    pass_time(assets_db, "24 hours")
    assert ended(gemini, name) == BatchEnded(name, BatchOutcome.GIVEN_UP, {"unknown": 2})


def test_a_cancelled_batch_is_waited_for_and_then_collected(both: Both) -> None:
    gemini, standin = both
    standin.batches.bad_days.looks_until_ended = 100
    name = submitted(gemini, calls_about(2))
    assert isinstance(gemini.collect(name), BatchWaits)
    gemini.cancel(name)
    assert ended(gemini, name) == BatchEnded(name, BatchOutcome.CANCELLED, {"unknown": 2})


@pytest.mark.parametrize("bad", ["overloaded_made", "dropped_made", "empty_made"])
@pytest.mark.parametrize("page_size", [1, 100])
def test_a_creation_that_failed_after_it_was_made_is_found_by_its_name(
    assets_db: ClonedDatabase, both: Both, bad: str, page_size: int
) -> None:
    gemini, standin = both
    standin.batches.bad_days.page_size = page_size
    submitted(gemini, [call_about("before")])
    standin.batches.bad_days.create = [bad]
    name = submitted(gemini, calls_about(3))
    submitted(gemini, [call_about("after")])
    assert submitted(gemini, calls_about(3)) == name
    assert ended(gemini, name).requests == {"settled": 3}
    assert standin.batches.display_names.count(name) == 1
    assert figures(assets_db)[1] == {"settled": 3, "sent": 2}


def test_a_creation_that_no_list_knows_is_given_up_after_a_grace_and_two_lists(
    assets_db: ClonedDatabase, both: Both
) -> None:
    gemini, standin = both
    standin.batches.bad_days.create = ["overloaded"]
    name = submitted(gemini, calls_about(3))
    assert standin.batches.display_names == []
    for interval in ("0 minutes", "11 minutes", "0 minutes"):
        pass_time(assets_db, interval)
        seen = gemini.collect(name)
        assert isinstance(seen, BatchWaits), interval
        assert submitted(gemini, calls_about(3)) == name
    pass_time(assets_db, "2 minutes")
    assert ended(gemini, name) == BatchEnded(name, BatchOutcome.ABSENT, {"released": 3})
    assert figures(assets_db)[0] == 0
    assert submitted(gemini, calls_about(3)) != name


def test_a_second_batch_of_the_same_name_is_cancelled_and_counted_once(
    assets_db: ClonedDatabase, both: Both
) -> None:
    gemini, standin = both
    standin.batches.bad_days.create = ["twice_made"]
    name = submitted(gemini, calls_about(2))
    held, _ = figures(assets_db)
    gemini.collect(name)
    assert figures(assets_db) == (held * 2, Counter({"sent": 2, "unknown": 1}))
    assert ended(gemini, name).requests == {"settled": 2}
    assert figures(assets_db)[0] == bill(standin) + held
    assert len(standin.batches.billed) == 2


@pytest.mark.parametrize(
    ("bad", "reason", "states"),
    [
        ("invalid", Unanswered.REFUSED, {"failed": 2}),
        ("per_minute", Unanswered.BLOCKED_BY_GOOGLE, {"failed": 2}),
        ("per_day", Unanswered.BLOCKED_BY_GOOGLE, {"failed": 2}),
    ],
)
def test_a_refused_creation_costs_nothing(
    assets_db: ClonedDatabase, both: Both, bad: str, reason: Unanswered, states: dict[str, int]
) -> None:
    gemini, standin = both
    standin.batches.bad_days.create = [bad]
    ticket = gemini.submit(calls_about(2), run_id="run-1")
    assert isinstance(ticket, NotAnswered)
    assert ticket.reason is reason
    assert figures(assets_db) == (Decimal(0), Counter(states))


def test_a_quota_on_batches_stops_batches_for_longer_each_time_and_nothing_else(
    assets_db: ClonedDatabase, both: Both
) -> None:
    gemini, standin = both
    standin.batches.bad_days.create = ["per_minute"]
    gemini.submit(calls_about(2), run_id="run-1")
    waits = gemini.submit(calls_about(2), run_id="run-1")
    assert isinstance(waits, NotAnswered)
    assert waits.reason is Unanswered.BLOCKED_BY_GOOGLE
    assert waits.retry_at is not None
    assert 14 * 60 < (waits.retry_at - datetime.now(UTC)).total_seconds() < 16 * 60
    alone = gemini.ask(
        call_about("one.0"),
        run_id="run-2",
        stop=ImpatientStop(),
        deadline=datetime.now(UTC) + timedelta(minutes=1),
    )
    assert isinstance(alone, Answered)


def test_a_key_that_is_refused_stops_the_run_and_holds_nothing(assets_db: ClonedDatabase, both: Both) -> None:
    _, standin = both
    wrong = resource(assets_db.url, standin.url).model_copy(update={"api_key": "invalid"})
    with pytest.raises(ModelUnavailable, match="GEMINI_API_KEY"):
        wrong.submit(calls_about(2), run_id="run-1")
    assert figures(assets_db) == (Decimal(0), Counter({"released": 2}))


@pytest.mark.parametrize(
    ("bad", "is_sent"),
    [
        (["mime"], True),
        (["mime", "mime"], True),
        (["mime", "mime", "mime"], False),
        (["", "piece"], True),
        (["dropped"], False),
        (["", "no_file"], False),
    ],
)
def test_an_upload_that_fails_is_tried_as_another_type_or_given_back(
    assets_db: ClonedDatabase, both: Both, bad: list[str], is_sent: bool
) -> None:
    gemini, standin = both
    standin.batches.bad_days.upload = bad
    ticket = gemini.submit(calls_about(2), run_id="run-1")
    assert isinstance(ticket, BatchTicket) is is_sent
    assert figures(assets_db)[1] == ({"sent": 2} if is_sent else {"released": 2})
    if not is_sent:
        submitted(gemini, calls_about(2))


def test_a_picture_that_changed_meanwhile_gives_the_batch_back(assets_db: ClonedDatabase, both: Both) -> None:
    gemini, _ = both
    [call] = calls_about(1)
    parts = (Text("x"), replace(PICTURE, read=lambda: b"other"))
    with pytest.raises(ValueError, match="changed"):
        gemini.submit([replace(call, request=replace(call.request, parts=parts))], run_id="run-1")
    assert figures(assets_db)[1] == {"released": 1}


def test_a_batch_whose_process_died_before_sending_it_is_given_back_and_made_anew(
    assets_db: ClonedDatabase, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini, standin = both
    from entity_pipeline.resources.gemini.batch_ledger import BatchLedger

    with monkeypatch.context() as patched:
        patched.setattr(BatchLedger, "mark_creating", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gemini.submit(calls_about(2), run_id="run-1")
    at_once = gemini.submit(calls_about(2), run_id="run-2")
    assert isinstance(at_once, NotAnswered)
    assert at_once.reason is Unanswered.IN_FLIGHT
    pass_time(assets_db, "21 minutes")
    assert gemini.sweep() == 2
    name = submitted(gemini, calls_about(2))
    assert standin.batches.display_names == [name]
    assert figures(assets_db)[1] == {"released": 2, "sent": 2}


def test_another_model_that_answers_is_booked_and_its_replies_wait_for_a_person(
    assets_db: ClonedDatabase, both: Both
) -> None:
    gemini, standin = both
    standin.successors["gemini-3.5-flash-lite"] = "gemini-2.5-flash-lite"
    name = submitted(gemini, calls_about(2))
    ended(gemini, name)
    assert outcomes(gemini, name) == {"model_replaced": 2}
    stopped = gemini.submit([call_about("two")], run_id="run-2")
    assert isinstance(stopped, NotAnswered)
    assert stopped.reason is Unanswered.MODEL_REPLACED
    limit(assets_db, limited(accept_models=["gemini-2.5-flash-lite"]))
    assert outcomes(gemini, name) == {"answered": 2}


@pytest.mark.parametrize(
    ("calls", "complaint"),
    [
        ([], "at least one"),
        ([call_about("a"), call_about("a")], "once"),
        ([call_about("a"), call_about("b", model="gemini-2.5-flash")], "one model"),
        (
            [replace(call_about("a"), request=replace(call_about("a").request, tools=(Tool.GOOGLE_SEARCH,)))],
            "Search",
        ),
    ],
)
def test_calls_that_can_not_form_a_batch_are_refused_before_anything_is_held(
    assets_db: ClonedDatabase, both: Both, calls: list[object], complaint: str
) -> None:
    gemini, _ = both
    with pytest.raises(ValueError, match=complaint):
        gemini.submit(calls, run_id="run-1")  # type: ignore[arg-type]
    assert figures(assets_db)[1] == {}


def test_a_name_that_was_never_given_is_an_error(both: Both) -> None:
    with pytest.raises(ValueError, match="no batch"):
        both[0].collect("influencers-0-0")


def test_the_days_figures_count_what_a_batch_holds(assets_db: ClonedDatabase, both: Both) -> None:
    gemini, _ = both
    submitted(gemini, calls_about(4))
    held, _ = figures(assets_db)
    assert gemini.quota().spent_usd == held > 0
    assert Ledger(assets_db).sweep() == 0


def test_the_inputs_of_ended_batches_are_deleted_by_their_names_and_no_other_file(both: Both) -> None:
    gemini, standin = both
    standin.batches.bad_days.page_size = 2
    names = [submitted(gemini, [call_about(f"one.{nth}")]) for nth in range(5)]
    for name in names:
        ended(gemini, name)
    assert standin.batches.uploads == names
    assert gemini.delete_inputs(STEP, ["one.0", "one.3", "another"]) == DeletedInputs(2, [])
    assert standin.batches.uploads == [names[1], names[2], names[4]]
    assert gemini.delete_inputs(STEP, ["one.0"]) == DeletedInputs(0, [])
    assert gemini.delete_inputs(replace(STEP, name="other"), ["one.1"]) == DeletedInputs(0, [])
    waiting = submitted(gemini, calls_about(3, version="2"))
    assert gemini.delete_inputs(STEP, ["one.1"]) == DeletedInputs(1, [waiting])
    assert standin.batches.uploads == [names[2], names[4], waiting]
    assert outcomes(gemini, names[0]) == {"answered": 1}, "what was collected stays"


def test_files_at_a_gemini_that_is_away_are_a_passing_failure(both: Both) -> None:
    gemini, standin = both
    ended(gemini, submitted(gemini, calls_about(1)))
    standin.close()
    with pytest.raises(TransientFailure, match="try again later"):
        gemini.delete_inputs(STEP, ["one.0"])
