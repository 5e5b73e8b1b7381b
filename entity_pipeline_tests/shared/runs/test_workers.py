"""The workers of one run, with reviews as their jobs. What a single review does is in `reviews/test_review.py`."""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID

import pytest

from entity_pipeline.core.failures import DatabaseUnavailable, ModelUnavailable
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.settings import Closed, Open
from entity_pipeline.domains.entities.reviews.review import WORDS
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.runs import workers as module
from entity_pipeline.shared.runs.workers import (
    OUTAGE_AFTER,
    Done,
    Elsewhere,
    Result,
    Stopped,
    Workers,
    gated_jobs,
)
from entity_pipeline_tests.fakes.reviewer import FakeReviewer, Planned
from entity_pipeline_tests.fakes.settings import FakeSettings

ACCOUNTS = [UUID(int=number) for number in range(1, 31)]
OPEN = Open(EntitySettings())
NO_ANSWER = Done("deferred:overloaded", unavailable=True)
REVIEWED = Done("reviewed")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLAIM_POLL_S", 0.01)


class Session:
    """The workers of one run that reviews accounts."""

    def __init__(self, reviewer: FakeReviewer, settings: FakeSettings, concurrency: int) -> None:
        self._reviewer = reviewer
        self._settings = settings
        self._workers = Workers(reviewer.stop, concurrency, WORDS)

    def work_through(self, accounts: Sequence[UUID]) -> None:
        reviewer = self._reviewer
        jobs = gated_jobs(
            accounts,
            reviewer.review,
            self._settings,
            EntitySettings,
            stop=reviewer.stop,
            deadline=reviewer.deadline,
        )
        self._workers.work_through(jobs)

    @property
    def outcomes(self) -> Counter[str]:
        return self._workers.outcomes

    @property
    def held_because(self) -> str:
        return self._workers.held_because


def session(reviewer: FakeReviewer, settings: FakeSettings | None = None, *, concurrency: int = 1) -> Session:
    return Session(reviewer, settings or FakeSettings(OPEN), concurrency)


def through(
    accounts: Sequence[UUID],
    outcomes: dict[UUID, list[Planned]] | None = None,
    *,
    concurrency: int = 1,
) -> tuple[FakeReviewer, Session]:
    reviewer = FakeReviewer(outcomes)
    work = session(reviewer, concurrency=concurrency)
    work.work_through(list(accounts))
    return reviewer, work


def test_accounts_are_reviewed_in_the_order_given() -> None:
    reviewer, work = through(ACCOUNTS)
    assert reviewer.reviewed == ACCOUNTS
    assert work.outcomes == {"reviewed": 30}
    assert work.held_because == ""


def test_nothing_to_do_is_done_at_once() -> None:
    reviewer, work = through([])
    assert (reviewer.reviewed, work.outcomes, work.held_because) == ([], Counter(), "")


@pytest.mark.parametrize("concurrency", [1, 4])
def test_no_more_accounts_run_at_once_than_allowed(concurrency: int) -> None:
    def slowly() -> Result:
        time.sleep(0.005)
        return REVIEWED

    reviewer, _ = through(ACCOUNTS, {account: [slowly] for account in ACCOUNTS}, concurrency=concurrency)
    assert reviewer.most_at_once == concurrency
    assert sorted(reviewer.reviewed) == ACCOUNTS


def test_a_gate_that_closes_in_the_middle_stops_at_the_next_account() -> None:
    reviewer = FakeReviewer()
    work = session(reviewer, FakeSettings(OPEN, OPEN, OPEN, Closed.because("Switched off.")))
    work.work_through(ACCOUNTS)
    assert reviewer.reviewed == ACCOUNTS[:3]
    assert (work.outcomes, work.held_because) == ({"reviewed": 3}, "Switched off.")


def test_an_unreadable_gate_stops_the_run_and_loses_no_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(patiently.__kwdefaults__, "patience_s", 0.2)
    reviewer = FakeReviewer()
    work = session(reviewer, FakeSettings(OPEN, OPEN, DatabaseUnavailable("away")))
    with pytest.raises(DatabaseUnavailable):
        work.work_through(ACCOUNTS)
    assert reviewer.reviewed == ACCOUNTS[:2]
    assert work.outcomes == {"reviewed": 2}


def test_the_cap_stops_the_run_and_says_when_to_go_on() -> None:
    at = datetime(2026, 3, 3, 8, tzinfo=UTC)
    reached = Stopped("The cap is reached.", at, at_once=False)
    reviewer, work = through(ACCOUNTS, {ACCOUNTS[4]: [reached]})
    assert reviewer.reviewed == ACCOUNTS[:5]
    assert work.outcomes == {"reviewed": 4}
    assert work.held_because == "The cap is reached. Next try: 2026-03-03 08:00 UTC."


def test_a_step_stops_when_its_time_is_up() -> None:
    reviewer = FakeReviewer(deadline=datetime.now(UTC) - timedelta(seconds=1))
    work = session(reviewer)
    work.work_through(ACCOUNTS)
    assert reviewer.reviewed == []
    assert work.held_because == "The step's time is up; the next run continues."


def test_ten_accounts_without_an_answer_in_a_row_mean_an_outage() -> None:
    reviewer, work = through(ACCOUNTS, {account: [NO_ANSWER] for account in ACCOUNTS})
    assert len(reviewer.reviewed) == OUTAGE_AFTER == 10
    assert work.held_because == "10 accounts in a row got no answer: Gemini seems to be down."


def test_an_answer_in_between_means_there_is_no_outage() -> None:
    every_tenth_answered = {account: [NO_ANSWER] for n, account in enumerate(ACCOUNTS, 1) if n % 10}
    reviewer, work = through(ACCOUNTS, every_tenth_answered)
    assert reviewer.reviewed == ACCOUNTS
    assert (work.outcomes, work.held_because) == ({"reviewed": 3, "deferred:overloaded": 27}, "")


def test_another_model_lets_no_further_account_in_and_counts_none() -> None:
    replaced = Stopped("Gemini answered with gemini-9.", at_once=False)
    reviewer, work = through(ACCOUNTS, {ACCOUNTS[1]: [replaced]})
    assert reviewer.reviewed == ACCOUNTS[:2]
    assert work.outcomes == {"reviewed": 1}
    assert work.held_because == "Gemini answered with gemini-9."


def test_accounts_of_another_worker_come_again_after_all_others() -> None:
    elsewhere = Elsewhere()
    a, b, c = ACCOUNTS[:3]
    reviewer, work = through([a, b, c], {a: [elsewhere, elsewhere, Done("unchanged")], b: [elsewhere]})
    assert reviewer.reviewed == [a, b, c, a, b, a]
    assert work.outcomes == {"reviewed": 2, "unchanged": 1}


def test_accounts_that_another_worker_still_holds_at_the_end_are_counted() -> None:
    a, b = ACCOUNTS[:2]
    reached = Stopped("The cap is reached.", None, at_once=False)
    reviewer, work = through([a, b], {a: [Elsewhere()], b: [reached]})
    assert reviewer.reviewed == [a, b]
    assert work.outcomes == {"in_flight_elsewhere": 1}


def test_a_failure_of_everything_lets_running_accounts_finish_and_is_raised() -> None:
    started = Event()

    def slowly() -> Result:
        started.set()
        time.sleep(0.05)
        return REVIEWED

    def fail() -> Planned:
        started.wait(5)
        return ModelUnavailable("Gemini refuses every request.")

    reviewer = FakeReviewer({ACCOUNTS[0]: [slowly], ACCOUNTS[1]: [fail]})
    work = session(reviewer, concurrency=2)
    with pytest.raises(ModelUnavailable):
        work.work_through(ACCOUNTS)
    assert reviewer.reviewed == ACCOUNTS[:2]
    assert work.outcomes == {"reviewed": 1}


def test_an_interruption_waits_for_requests_on_the_wire() -> None:
    def interrupt() -> Result:
        time.sleep(0.02)
        signal.raise_signal(signal.SIGINT)
        return REVIEWED

    def slowly() -> Result:
        time.sleep(0.1)
        return REVIEWED

    reviewer = FakeReviewer({ACCOUNTS[0]: [slowly], ACCOUNTS[1]: [interrupt]})
    with pytest.raises(KeyboardInterrupt):
        session(reviewer, concurrency=2).work_through(ACCOUNTS)
    assert reviewer.stop.is_set()
    assert reviewer.finished[-1] == ACCOUNTS[0]
    assert sorted(reviewer.finished) == sorted(reviewer.reviewed)
    assert len(reviewer.reviewed) < len(ACCOUNTS)


def test_an_interruption_says_how_the_accounts_at_work_ended() -> None:
    def interrupt() -> Result:
        os.kill(os.getpid(), signal.SIGINT)
        return REVIEWED

    reviewer = FakeReviewer({ACCOUNTS[0]: [interrupt]})
    with pytest.raises(KeyboardInterrupt, match="1 accounts in progress were finished"):
        session(reviewer).work_through(ACCOUNTS)
    assert reviewer.finished == ACCOUNTS[:1]


def test_a_second_signal_loses_none_of_the_arriving_replies() -> None:
    def interrupt_twice() -> Result:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return REVIEWED

    reviewer = FakeReviewer({ACCOUNTS[0]: [interrupt_twice]})
    with pytest.raises(KeyboardInterrupt):
        session(reviewer).work_through(ACCOUNTS)
    assert reviewer.finished == ACCOUNTS[:1]


def test_a_signal_while_a_stopped_run_waits_for_its_last_accounts_loses_none_of_them() -> None:
    def slowly() -> Result:
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return REVIEWED

    stopped = Stopped("The run is stopping.")
    reviewer = FakeReviewer({ACCOUNTS[0]: [slowly], ACCOUNTS[1]: [stopped]})
    with pytest.raises(KeyboardInterrupt, match="1 accounts in progress were finished"):
        session(reviewer, concurrency=2).work_through(ACCOUNTS)
    assert reviewer.finished[-1] == ACCOUNTS[0]


def test_a_request_that_hangs_keeps_an_interrupted_run_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN_S", 0.05)
    answer = Event()

    def hang() -> Result:
        os.kill(os.getpid(), signal.SIGINT)
        answer.wait(30)
        return REVIEWED

    reviewer = FakeReviewer({ACCOUNTS[0]: [hang]})
    try:
        with pytest.raises(
            KeyboardInterrupt, match="0 accounts in progress were finished, 1 got no answer within"
        ):
            session(reviewer).work_through(ACCOUNTS)
        assert reviewer.finished == []
    finally:
        answer.set()


def test_a_gate_that_cannot_be_read_for_a_moment_is_asked_again() -> None:
    reviewer, settings = FakeReviewer(), FakeSettings(DatabaseUnavailable("The database is away."), OPEN)
    work = session(reviewer, settings)
    work.work_through(ACCOUNTS[:2])
    assert reviewer.reviewed == ACCOUNTS[:2]
    assert (work.outcomes, settings.asked) == ({"reviewed": 2}, 3)


def test_settings_that_change_in_the_middle_hold_from_the_next_account_on() -> None:
    lowered = Open(EntitySettings(concurrency=5))
    reviewer = FakeReviewer()
    session(reviewer, FakeSettings(OPEN, OPEN, lowered)).work_through(ACCOUNTS[:4])
    assert reviewer.settings == [OPEN.settings, OPEN.settings, lowered.settings, lowered.settings]


def test_a_gradual_stop_lets_the_jobs_at_work_ask_for_more() -> None:
    seen = []

    def slowly() -> Result:
        time.sleep(0.05)
        seen.append(reviewer.stop.is_set())
        return REVIEWED

    reached = Stopped("The cap is reached.", None, at_once=False)
    reviewer = FakeReviewer({ACCOUNTS[0]: [slowly], ACCOUNTS[1]: [reached]})
    work = session(reviewer, concurrency=2)
    work.work_through(ACCOUNTS)
    assert seen == [False]
    assert (work.outcomes, work.held_because) == ({"reviewed": 1}, "The cap is reached.")
