"""`MeteredCall`: every answer of the ledger and of Gemini, with the resulting rows and sentences."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event, Timer
from typing import Any
from uuid import uuid4

import pytest

from entity_pipeline.core.failures import DatabaseUnavailable, ModelUnavailable
from entity_pipeline.core.gemini.call import EventId
from entity_pipeline.core.gemini.ledger import InFlight, Refused, Replay
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, StoredReply, Unanswered
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import ReplyFigures, TokenUsage
from entity_pipeline.resources.gemini import metered_call
from entity_pipeline.resources.gemini.client import Body, Exchange, Lost, Unsent
from entity_pipeline.resources.gemini.errors import ErrorKind, GeminiError
from entity_pipeline.resources.gemini.kept_requests import RequestKeeper
from entity_pipeline.resources.gemini.metered_call import MeteredCall
from entity_pipeline_tests.fakes.ledger import FakeLedger
from entity_pipeline_tests.fakes.stop import ImpatientStop
from entity_pipeline_tests.resources.gemini.ledger_cases import FLASH, REVIEW, varied

ANSWER = Body(
    {
        "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "", "b"]}}],
        "usageMetadata": {"promptTokenCount": 1_000_000, "thoughtsTokenCount": 100_000},
        "modelVersion": "gemini-2.5-flash-001",
    }
)
OVERLOADED = GeminiError(ErrorKind.OVERLOADED, 503, "UNAVAILABLE", "The model is overloaded.")
UNREADABLE = GeminiError(ErrorKind.OVERLOADED, 200, "UNREADABLE", "The answer is no JSON object.")
REFUSED = GeminiError(ErrorKind.REFUSED, 400, "INVALID_ARGUMENT", "Unsupported.")
NOT_FOUND = GeminiError(ErrorKind.MISCONFIGURED, 404, "NOT_FOUND", "models/x is not found.")
PER_DAY = GeminiError(ErrorKind.QUOTA_DAY, 429, "RESOURCE_EXHAUSTED", "Quota.", "PerDay")
EXHAUSTED = GeminiError(ErrorKind.GROUNDING_EXHAUSTED, 429, "RESOURCE_EXHAUSTED", "Exhausted.")
BARE = GeminiError(ErrorKind.QUOTA_UNNAMED, 429, "RESOURCE_EXHAUSTED", "Exhausted.", wait_s=0.01)
UNPAID = GeminiError(ErrorKind.UNPAID, 429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
AWAY = DatabaseUnavailable("The database is away.")


def per_minute(wait_s: float) -> GeminiError:
    return GeminiError(ErrorKind.QUOTA_MINUTE, 429, "RESOURCE_EXHAUSTED", "Quota.", "PerMinute", wait_s)


def seconds_from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def refused(why: Unanswered, seconds: float) -> Refused:
    return Refused(why, because("blocked_by_google", at=NOW), seconds_from_now(seconds))


def rate_limited(seconds: float) -> Refused:
    return refused(Unanswered.RATE_LIMITED, seconds)


class Gemini:
    """Answers in the given order; records the ledger's states at each request."""

    def __init__(self, ledger: FakeLedger, exchanges: Sequence[Exchange]) -> None:
        self._ledger = ledger
        self._exchanges = list(exchanges)
        self.seen: list[list[str]] = []

    def __call__(self) -> Exchange:
        self.seen.append(self._ledger.states)
        return self._exchanges.pop(0)


def run(
    ledger: FakeLedger,
    *exchanges: Exchange,
    stop: Event | None = None,
    time_left_s: float = 3_600,
    model: GeminiModel = FLASH,
    **changes: Any,
) -> tuple[Answered | NotAnswered, Gemini]:
    send = Gemini(ledger, exchanges)
    call = MeteredCall(
        ledger=ledger,  # type: ignore[arg-type]
        keeper=RequestKeeper(None),
        send=send,
        call=varied(REVIEW, **{"model": model.name} | changes),
        run_id="run-1",
        stop=stop or ImpatientStop(),
        deadline=seconds_from_now(time_left_s),
    )
    return call.run(), send


def said(answer: Answered | NotAnswered) -> tuple[Unanswered, str]:
    return reason(answer), str(answer.detail)  # type: ignore[union-attr]


def reason(answer: Answered | NotAnswered) -> Unanswered:
    assert isinstance(answer, NotAnswered), answer
    return answer.reason


def test_an_answer_is_settled_in_its_row_and_returned() -> None:
    ledger = FakeLedger()
    answer, send = run(ledger, ANSWER)
    [row] = ledger.rows
    reply = StoredReply(row.event_id, ANSWER.body, "gemini-2.5-flash-001", "input-1")
    assert answer == Answered(reply, replayed=False)
    assert send.seen == [["sent"]]
    assert (row.state, row.attempt, row.run_id) == ("settled", 1, "run-1")
    assert (row.body, row.request) == (ANSWER.body, REVIEW.request.settings())
    assert row.latency_ms is not None
    assert 0 <= row.latency_ms < 5_000
    assert row.figures == ReplyFigures(
        usage=TokenUsage(prompt=1_000_000, thoughts=100_000),
        search_queries=2,
        model_version="gemini-2.5-flash-001",
        billed_as=None,
        token_cost_usd=Decimal("0.55"),
        units=1,
        pool=FLASH.pool,
    )


def test_queries_are_counted_only_where_a_search_was_asked_for() -> None:
    ledger = FakeLedger()
    run(ledger, ANSWER, grounded=False)
    figures = ledger.rows[0].figures
    assert figures is not None
    assert (figures.search_queries, figures.units) == (0, 0)


@pytest.mark.parametrize("version", [None, 7, ["x"]])
def test_a_version_that_is_not_a_text_is_not_kept(version: Any) -> None:
    answer, _ = run(FakeLedger(), Body({"modelVersion": version}))
    assert isinstance(answer, Answered)
    assert answer.reply.model_version is None


@pytest.mark.parametrize("version", ["", "  ", "\x00", "\u200b"])
def test_a_blank_version_names_no_model(version: str) -> None:
    answer, _ = run(FakeLedger(), Body({"modelVersion": version}))
    assert isinstance(answer, Answered)
    assert answer.reply.model_version is None


def test_a_version_is_kept_as_a_text_column_takes_it() -> None:
    ledger = FakeLedger()
    run(ledger, Body({"modelVersion": "gemini-2.5\x00-flash\ud800" + "x" * 1_000}))
    figures = ledger.rows[0].figures
    assert figures is not None
    assert figures.model_version is not None
    assert figures.model_version.startswith("gemini-2.5-flashx")
    assert len(figures.model_version) <= 200


def test_a_paid_reply_is_returned_without_a_request() -> None:
    stored = StoredReply(str(uuid4()), {"candidates": []}, None, "input-0")
    ledger = FakeLedger(Replay(stored))
    answer, send = run(ledger)
    assert answer == Answered(stored, replayed=True)
    assert (send.seen, ledger.rows) == ([], ())


def test_an_account_that_another_worker_asks_for_is_left_to_it() -> None:
    until = seconds_from_now(90)
    answer, send = run(FakeLedger(InFlight(until)))
    assert answer == NotAnswered(Unanswered.IN_FLIGHT, because("in_flight"), until)
    assert send.seen == []


@pytest.mark.parametrize(
    "why",
    [
        Unanswered.CLOSED,
        Unanswered.MODEL_REPLACED,
        Unanswered.CAP_REACHED,
        Unanswered.SPEND_REACHED,
        Unanswered.BLOCKED_BY_GOOGLE,
        Unanswered.NOT_STORED,
    ],
)
def test_a_refusal_is_reported_at_once_as_the_ledger_gives_it(why: Unanswered) -> None:
    full, stop = refused(why, 3_000), ImpatientStop()
    answer, send = run(FakeLedger(full), stop=stop)
    assert answer == NotAnswered(why, full.reason, full.retry_at)
    assert (send.seen, stop.waits) == ([], [])


@pytest.mark.parametrize("refusal", [Unanswered.CAP_REACHED, Unanswered.SPEND_REACHED])
def test_a_cap_or_budget_is_not_waited_for_however_soon_it_opens(refusal: Unanswered) -> None:
    answer, _ = run(FakeLedger(refused(refusal, 1)), ANSWER)
    assert reason(answer) == refusal.value


def test_a_full_minute_is_waited_for() -> None:
    stop = ImpatientStop()
    answer, send = run(FakeLedger(rate_limited(30), rate_limited(10)), ANSWER, stop=stop)
    assert isinstance(answer, Answered)
    assert len(send.seen) == 1
    assert [round(seconds) for seconds in stop.waits] == [30, 10]


def test_a_full_minute_beyond_the_deadline_ends_the_call() -> None:
    stop = ImpatientStop()
    full = rate_limited(30)
    answer, send = run(FakeLedger(full), stop=stop, time_left_s=20)
    assert answer == NotAnswered(Unanswered.RATE_LIMITED, full.reason, full.retry_at)
    assert (send.seen, stop.waits) == ([], [])


def test_an_overloaded_model_is_asked_again_with_a_row_each() -> None:
    ledger, stop = FakeLedger(), ImpatientStop()
    answer, send = run(ledger, OVERLOADED, ANSWER, stop=stop)
    assert isinstance(answer, Answered)
    assert send.seen == [["sent"], ["failed", "sent"]]
    assert ledger.states == ["failed", "settled"]
    assert [row.attempt for row in ledger.rows] == [1, 2]
    assert ledger.rows[0].error == OVERLOADED.as_record()
    assert ledger.rows[0].blocked_until is None
    assert len(stop.waits) == 1
    assert 0.5 <= stop.waits[0] <= 1


def test_after_three_overloaded_answers_the_account_is_deferred() -> None:
    ledger, stop = FakeLedger(), ImpatientStop()
    answer, send = run(ledger, OVERLOADED, OVERLOADED, OVERLOADED, stop=stop)
    assert said(answer) == (Unanswered.OVERLOADED, "HTTP 503 UNAVAILABLE: The model is overloaded.")
    assert len(send.seen) == 3
    assert ledger.states == ["failed"] * 3
    assert [row.attempt for row in ledger.rows] == [1, 2, 3]
    assert len(stop.waits) == 2
    assert 1 <= stop.waits[1] <= 2


def test_an_unreadable_success_may_have_been_paid_and_is_tried_again() -> None:
    ledger = FakeLedger()
    answer, _ = run(ledger, UNREADABLE, ANSWER)
    assert isinstance(answer, Answered)
    assert ledger.states == ["unknown", "settled"]


def test_a_full_minute_at_google_is_noted_for_all_and_waited_for() -> None:
    ledger, stop = (
        FakeLedger(None, refused(Unanswered.BLOCKED_BY_GOOGLE, 28)),
        ImpatientStop(),
    )
    before = datetime.now(UTC)
    answer, send = run(ledger, per_minute(28), ANSWER, stop=stop)
    assert isinstance(answer, Answered)
    assert len(send.seen) == 2
    blocked = ledger.rows[0].blocked_until
    assert blocked is not None
    assert 28 <= (blocked - before).total_seconds() <= 28 * 1.2 + 1
    assert round(stop.waits[-1]) == 28


def test_three_full_minutes_at_google_defer_the_account_until_then() -> None:
    ledger = FakeLedger()
    answer, _ = run(ledger, per_minute(5), per_minute(5), per_minute(5))
    assert isinstance(answer, NotAnswered)
    assert (answer.reason, answer.retry_at) == (Unanswered.OVERLOADED, ledger.rows[-1].blocked_until)


@pytest.mark.parametrize(("wait_s", "time_left_s"), [(130, 3_600), (60, 30)])
def test_a_long_block_or_one_beyond_the_deadline_is_reported(wait_s: float, time_left_s: float) -> None:
    blocked = refused(Unanswered.BLOCKED_BY_GOOGLE, wait_s)
    answer, send = run(FakeLedger(None, blocked), per_minute(wait_s), time_left_s=time_left_s)
    assert isinstance(answer, NotAnswered)
    assert (answer.reason, answer.retry_at) == (Unanswered.BLOCKED_BY_GOOGLE, blocked.retry_at)
    assert len(send.seen) == 1


@pytest.mark.parametrize(
    ("error", "model", "period"),
    [
        (PER_DAY, "gemini-2.5-flash", "day"),
        (PER_DAY, "gemini-3.8-flash", "day"),
        (EXHAUSTED, "gemini-2.5-flash", "day"),
        (EXHAUSTED, "gemini-3.8-flash", "month"),
    ],
)
@pytest.mark.parametrize("earlier", [0, 2])
def test_a_used_up_quota_holds_every_caller_until_its_period_ends(
    error: GeminiError, model: str, period: Any, earlier: int
) -> None:
    ledger = FakeLedger()
    answer, send = run(ledger, *[OVERLOADED] * earlier, error, model=MODELS[model])
    reset = next_reset(datetime.now(UTC), period)
    assert isinstance(answer, NotAnswered)
    assert (answer.reason, answer.retry_at) == (Unanswered.BLOCKED_BY_GOOGLE, reset)
    said = f"HTTP 429 RESOURCE_EXHAUSTED: {error.message}"
    assert str(answer.detail) == f"Google's quota is used up ({said})."
    assert ledger.rows[-1].blocked_until == reset
    assert len(send.seen) == earlier + 1


def test_a_refusal_that_names_no_quota_is_waited_for_once() -> None:
    ledger = FakeLedger()
    answer, send = run(ledger, BARE, ANSWER)
    assert isinstance(answer, Answered)
    assert len(send.seen) == 2


def test_two_refusals_in_a_row_that_name_no_quota_hold_every_caller_for_a_while() -> None:
    ledger, before = FakeLedger(), datetime.now(UTC)
    answer, send = run(ledger, BARE, BARE)
    assert isinstance(answer, NotAnswered)
    assert (answer.reason, answer.retry_at) == (Unanswered.BLOCKED_BY_GOOGLE, ledger.rows[-1].blocked_until)
    assert answer.retry_at is not None
    assert 900 <= (answer.retry_at - before).total_seconds() < 960
    assert len(send.seen) == 2


@pytest.mark.parametrize("between", [OVERLOADED, per_minute(1)])
def test_refusals_that_name_no_quota_and_are_apart_defer_the_account(between: GeminiError) -> None:
    answer, _ = run(FakeLedger(), BARE, between, BARE)
    assert reason(answer) is Unanswered.OVERLOADED


def test_used_up_credits_end_the_run_at_the_first_answer() -> None:
    ledger = FakeLedger()
    with pytest.raises(ModelUnavailable, match=r"^Gemini's credits are used up \(HTTP 429 .*Nothing is lost"):
        run(ledger, UNPAID)
    assert ledger.states == ["failed"]


def test_an_unknown_model_ends_the_run_with_what_to_do() -> None:
    ledger = FakeLedger()
    with pytest.raises(ModelUnavailable) as raised:
        run(ledger, NOT_FOUND)
    assert str(raised.value) == (
        "Gemini refuses every request (HTTP 404 NOT_FOUND: models/x is not found.): check GEMINI_API_KEY, "
        "GEMINI_MODEL ('gemini-2.5-flash') and GEMINI_BASE_URL."
    )
    assert ledger.states == ["failed"]


def test_a_request_that_can_never_work_is_not_repeated() -> None:
    ledger = FakeLedger()
    answer, _ = run(ledger, REFUSED)
    assert said(answer) == (Unanswered.REFUSED, "HTTP 400 INVALID_ARGUMENT: Unsupported.")
    assert ledger.states == ["failed"]


def test_a_lost_answer_counts_and_is_not_asked_for_again() -> None:
    ledger = FakeLedger()
    answer, send = run(ledger, Lost("ReadTimeout: timed out"))
    assert said(answer) == (Unanswered.NO_REPLY, "Gemini's reply was incomplete (ReadTimeout: timed out).")
    assert ledger.states == ["unknown"]
    assert len(send.seen) == 1


def test_a_request_that_was_never_sent_gives_its_place_back() -> None:
    ledger = FakeLedger()
    answer, _ = run(ledger, Unsent("ConnectError: refused"))
    assert said(answer) == (Unanswered.UNREACHABLE, "Gemini can't be reached (ConnectError: refused).")
    assert ledger.states == ["released"]


def test_a_lost_place_is_never_sent_and_asked_for_again() -> None:
    ledger = FakeLedger(marks=[False])
    answer, send = run(ledger, ANSWER)
    assert isinstance(answer, Answered)
    assert send.seen == [["released", "sent"]]


def test_places_that_are_lost_again_and_again_end_the_call() -> None:
    ledger = FakeLedger(marks=[False] * 9)
    answer, send = run(ledger)
    assert said(answer) == (Unanswered.OVERLOADED, "The Gemini ledger responds too slowly; nothing was sent.")
    assert (send.seen, ledger.states) == ([], ["released"] * 3)


class SlowOnce(FakeLedger):
    """Marking the first row as sent takes 21 seconds of its own clock, which stands for the module `time`."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def mark_sent(self, event_id: EventId, request: Mapping[str, Any]) -> bool:
        self._now = 21.0
        return super().mark_sent(event_id, request)


def test_a_process_that_slept_after_marking_does_not_send(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = SlowOnce()
    monkeypatch.setattr(metered_call, "time", ledger)
    answer, send = run(ledger, ANSWER)
    assert isinstance(answer, Answered)
    assert send.seen == [["unknown", "sent"]]
    assert ledger.rows[0].error == {"kind": "late", "message": "never sent; counted"}


def test_a_ledger_that_is_away_for_a_moment_is_waited_for() -> None:
    stop = ImpatientStop()
    ledger = FakeLedger(AWAY, AWAY, marks=[AWAY, True])
    answer, send = run(ledger, ANSWER, stop=stop)
    assert isinstance(answer, Answered)
    assert len(send.seen) == 1
    assert stop.waits == [0.25, 0.5, 0.25]


def test_a_ledger_that_stays_away_means_nothing_is_sent() -> None:
    ledger = FakeLedger(*[AWAY] * 99)
    send = Gemini(ledger, [ANSWER])
    with pytest.raises(DatabaseUnavailable):
        run(ledger, ANSWER)
    assert (send.seen, ledger.rows) == ([], ())


def test_a_ledger_that_goes_away_before_sending_means_nothing_is_sent() -> None:
    ledger = FakeLedger(marks=[AWAY] * 99)
    with pytest.raises(DatabaseUnavailable):
        run(ledger)
    assert ledger.states == ["reserved"]


def test_a_paid_answer_is_written_down_when_the_ledger_comes_back() -> None:
    ledger, stop = FakeLedger(writes=[AWAY]), ImpatientStop()
    answer, send = run(ledger, ANSWER, stop=stop)
    assert isinstance(answer, Answered)
    assert (ledger.states, len(send.seen)) == (["settled"], 1)
    assert stop.waits == []  # a stopping run still waits for this


def test_a_run_that_is_stopping_asks_nothing() -> None:
    stop, ledger = ImpatientStop(), FakeLedger()
    stop.set()
    answer, send = run(ledger, stop=stop)
    assert said(answer) == (Unanswered.STOPPED, "The run is stopping.")
    assert (send.seen, ledger.rows) == ([], ())


class LongPauses:
    """Stands for the module `random`: every pause is a long one."""

    def uniform(self, low: float, high: float) -> float:
        return 30.0


@pytest.mark.parametrize("waits_for", ["rate limit", "another attempt"])
def test_a_stop_ends_every_wait_at_once(waits_for: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metered_call, "random", LongPauses())
    ledger = FakeLedger(rate_limited(50)) if waits_for == "rate limit" else FakeLedger()
    stop, started = Event(), time.monotonic()
    timer = Timer(0.05, stop.set)
    timer.start()
    answer, _ = run(ledger, OVERLOADED, stop=stop)
    timer.join()
    assert reason(answer) is Unanswered.STOPPED
    assert time.monotonic() - started < 10


LITE = MODELS["gemini-3.5-flash-lite"]
OF_LITE = Body({**ANSWER.body, "modelVersion": "gemini-3.5-flash-lite"})


def test_a_reply_of_another_model_is_kept_at_that_models_price_and_not_given_on() -> None:
    ledger = FakeLedger()
    answer, send = run(ledger, OF_LITE)
    assert isinstance(answer, NotAnswered)
    assert (answer.reason, answer.retry_at) == (Unanswered.MODEL_REPLACED, None)
    assert str(answer.detail).startswith(
        "Gemini answered with gemini-3.5-flash-lite in place of gemini-2.5-flash"
    )
    [row] = ledger.rows
    assert (row.state, len(send.seen)) == ("settled", 1)
    assert row.figures is not None
    assert (row.figures.billed_as, row.figures.pool, row.figures.units) == (LITE.name, LITE.pool, 2)
    dear, _ = run(FakeLedger(), Body({**ANSWER.body, "modelVersion": "gemini-3.8-flash"}))
    assert reason(dear) is Unanswered.MODEL_REPLACED


def test_a_reply_of_another_model_costs_what_that_model_costs() -> None:
    ledger = FakeLedger()
    run(ledger, Body({**ANSWER.body, "modelVersion": "gemini-2.5-flash-lite"}))
    [row] = ledger.rows
    assert row.figures is not None
    assert (row.figures.token_cost_usd, row.figures.units) == (Decimal("0.14"), 1)


def test_a_reply_of_an_accepted_model_is_an_answer() -> None:
    accepting = GeminiSettings(accept_models=[LITE.name])
    ledger = FakeLedger(settings=accepting, billed=LITE)
    answer, _ = run(ledger, OF_LITE)
    assert isinstance(answer, Answered)
    assert answer.reply.model_version == LITE.name
    assert ledger.rows[0].figures is not None
    assert ledger.rows[0].figures.billed_as == LITE.name
    unnamed = FakeLedger(settings=accepting, billed=LITE)
    run(unnamed, Body({"usageMetadata": ANSWER.body["usageMetadata"]}))
    assert unnamed.rows[0].figures is not None
    assert unnamed.rows[0].figures.billed_as == LITE.name


@pytest.mark.parametrize("how", ["full", "sealed", "none"])
def test_what_was_sent_is_kept_before_it_leaves_as_the_row_says(how: Any) -> None:
    ledger = FakeLedger(settings=GeminiSettings(keep_requests=how))
    run(ledger, ANSWER)
    [row] = ledger.rows
    assert row.request is not None
    assert row.request["generation"]["max_output_tokens"] == 4_000
    assert ("system" in row.request) is (how == "full")
