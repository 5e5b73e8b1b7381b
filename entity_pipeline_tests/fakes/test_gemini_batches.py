"""The fake keeps the promises of the port, which the real batches keep too: each test runs over both."""

from collections.abc import Callable, Iterator

import pytest

from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.gemini.batch import BatchEnded, BatchOutcome, BatchTicket, BatchWaits
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.gemini_batches import FakeGeminiBatches
from entity_pipeline_tests.resources.gemini.batch_cases import call_about, calls_about, installed
from entity_pipeline_tests.resources.gemini.ledger_cases import STEP

BODY = {"candidates": [{"finishReason": "STOP"}], "modelVersion": "gemini-3.5-flash-lite"}


@pytest.fixture(params=["fake", "real"])
def batches(request: pytest.FixtureRequest) -> Iterator[GeminiBatches]:
    if request.param == "fake":
        yield FakeGeminiBatches({f"one.{nth}": [BODY, BODY] for nth in range(5)} | {"two": [BODY]})
        return
    database: ClonedDatabase = request.getfixturevalue("assets_db")
    with installed(database) as (gemini, _):
        yield gemini


def name_of(ticket: BatchTicket | NotAnswered) -> str:
    assert isinstance(ticket, BatchTicket)
    assert ticket.name is not None
    return ticket.name


def ended(batches: GeminiBatches, name: str) -> BatchEnded:
    assert isinstance(batches.collect(name), BatchWaits)
    seen = batches.collect(name)
    assert isinstance(seen, BatchEnded)
    return seen


def test_a_batch_is_answered_once_and_read_again_and_again(batches: GeminiBatches) -> None:
    name = name_of(batches.submit(calls_about(2), run_id="r"))
    assert batches.open_batches(STEP) == [name]
    assert ended(batches, name) == BatchEnded(name, BatchOutcome.COLLECTED, {"settled": 2})
    assert batches.open_batches(STEP) == []
    for _ in range(2):
        assert {subject for subject, _ in batches.answers(name)} == {"one.0", "one.1"}
        assert all(isinstance(answer, Answered) for _, answer in batches.answers(name))
        assert isinstance(batches.collect(name), BatchEnded)


def test_the_same_calls_are_the_same_batch_and_its_subjects_are_left_out_of_others(
    batches: GeminiBatches,
) -> None:
    name = name_of(batches.submit(calls_about(2), run_id="r"))
    assert name_of(batches.submit(calls_about(2), run_id="r")) == name
    other = batches.submit([call_about("one.0"), call_about("two")], run_id="r")
    assert isinstance(other, BatchTicket)
    assert other.subjects == {"two"}
    assert other.left_out["one.0"].reason is Unanswered.IN_FLIGHT
    only = batches.submit([call_about("one.0")], run_id="r")
    assert isinstance(only, NotAnswered)
    assert only.reason is Unanswered.IN_FLIGHT


def test_a_paid_answer_is_replayed_until_it_is_consumed(batches: GeminiBatches) -> None:
    ended(batches, name_of(batches.submit(calls_about(1), run_id="r")))
    again = batches.submit(calls_about(1), run_id="r")
    assert isinstance(again, BatchTicket)
    assert (again.name, again.subjects) == (None, frozenset())
    answer = again.replayed["one.0"]
    assert answer.replayed
    consumed = call_about("one.0", consumed_event_id=answer.reply.event_id)
    assert isinstance(batches.submit([consumed], run_id="r"), BatchTicket)
    assert len(batches.open_batches(STEP)) == 1


def test_a_cancelled_batch_ends_at_a_later_look_without_answers(batches: GeminiBatches) -> None:
    name = name_of(batches.submit(calls_about(1), run_id="r"))
    batches.cancel(name)
    seen = batches.collect(name)
    assert seen == BatchEnded(name, BatchOutcome.CANCELLED, {"unknown": 1})
    [(_, answer)] = batches.answers(name)
    assert isinstance(answer, NotAnswered)
    assert answer.reason is Unanswered.NO_REPLY


@pytest.mark.parametrize(
    "act", [lambda one: one.collect("x"), lambda one: one.cancel("x"), lambda one: list(one.answers("x"))]
)
def test_an_unknown_name_is_an_error(batches: GeminiBatches, act: Callable[[GeminiBatches], object]) -> None:
    with pytest.raises(ValueError, match="no batch"):
        act(batches)


def test_the_fake_does_what_the_test_says() -> None:
    why = NotAnswered(Unanswered.SPEND_REACHED, because("in_flight"))
    fake = FakeGeminiBatches(
        {"one.0": [None], "one.1": [why]},
        refuses=[why, RuntimeError("down"), None],
        left_out={"two": why},
        overdue_from=1,
    )
    assert fake.submit(calls_about(1), run_id="r") is why
    with pytest.raises(RuntimeError, match="down"):
        fake.submit(calls_about(1), run_id="r")
    ticket = fake.submit([*calls_about(2), call_about("two")], run_id="r")
    assert isinstance(ticket, BatchTicket)
    assert ticket.left_out == {"two": why}
    name = name_of(ticket)
    waits = fake.collect(name)
    assert isinstance(waits, BatchWaits)
    assert waits.is_overdue
    assert isinstance(fake.collect(name), BatchEnded)
    assert dict(fake.answers(name)) == {"one.1": why}
    assert len(fake.submitted) == 1
    exhausted = FakeGeminiBatches({})
    name = name_of(exhausted.submit(calls_about(1), run_id="r"))
    exhausted.collect(name)
    with pytest.raises(AssertionError, match="once too often"):
        exhausted.collect(name)
