"""One paid call per account: claims, replays, and a crash after every statement."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.gemini.ledger import STALE_AFTER_S, InFlight, Refused, Replay
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, Unanswered
from entity_pipeline.resources import shared_pools
from entity_pipeline.resources.gemini.client import Body
from entity_pipeline.resources.gemini.kept_requests import RequestKeeper
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline.resources.gemini.metered_call import MeteredCall
from entity_pipeline.resources.postgres import PooledDatabase, open_database
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.stop import ImpatientStop
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    BODY,
    FLASH,
    LIMITS,
    REVIEW,
    SENT,
    Connection,
    Kind,
    about,
    ask,
    capped,
    grow_old,
    quota_of,
    reserved,
    row_of,
    sent,
    settle,
    settled,
    states,
    varied,
)


@pytest.mark.parametrize("state", ["reserved", "sent"])
def test_an_open_request_is_a_claim_on_its_account(
    ledger: Ledger, assets_db: ClonedDatabase, state: str
) -> None:
    place = reserved(ledger) if state == "reserved" else sent(ledger)
    answer = ask(ledger, varied(REVIEW, kind=Kind.REPAIR, grounded=False, config_hash="other"))
    changed_at = row_of(assets_db, place.event_id)["state_changed_at"]
    assert answer == InFlight(changed_at + timedelta(seconds=STALE_AFTER_S))


@pytest.mark.parametrize("change", [{"subject": "other"}, {"step": "other"}, {"pipeline": "other"}])
def test_a_claim_is_on_one_account_and_step(ledger: Ledger, change: dict[str, str]) -> None:
    reserved(ledger)
    assert reserved(ledger, varied(REVIEW, **change))


@pytest.mark.parametrize("end", ["released", "failed", "unknown"])
def test_a_claim_ends_with_its_request_and_only_a_settled_one_is_replayed(ledger: Ledger, end: str) -> None:
    place = sent(ledger)
    if end == "released":
        ledger.release(place.event_id, {})
    elif end == "failed":
        ledger.fail(place.event_id, {}, 1)
    else:
        ledger.mark_unknown(place.event_id, {}, 1)
    assert reserved(ledger).event_id != place.event_id


def test_of_two_workers_that_ask_for_one_account_one_gets_a_place(ledger: Ledger) -> None:
    together = threading.Barrier(6)

    def worker() -> Any:
        together.wait()
        return ask(ledger)

    with ThreadPoolExecutor(6) as pool:
        answers = [future.result() for future in [pool.submit(worker) for _ in range(6)]]
    assert sorted(type(answer).__name__ for answer in answers) == ["InFlight"] * 5 + ["Reserved"]


def test_a_paid_reply_is_used_although_the_profile_has_changed(ledger: Ledger) -> None:
    place = settled(ledger)
    answer = ask(ledger, varied(REVIEW, input_hash="input-2"))
    assert isinstance(answer, Replay)
    assert (answer.reply.event_id, answer.reply.body) == (place.event_id, BODY)
    assert (answer.reply.input_hash, answer.reply.model_version) == ("input-1", FLASH.name)


def test_a_replay_needs_no_quota(ledger: Ledger) -> None:
    settled(ledger)
    ledger.fail(
        sent(ledger, about("other")).event_id,
        {},
        1,
        blocked_until=datetime.now(UTC) + timedelta(hours=1),
    )
    assert isinstance(ask(ledger, limits=capped(0)), Replay)


@pytest.mark.parametrize(
    "change", [{"config_hash": "other"}, {"kind": "repair"}, {"subject": "other"}, {"step": "other"}]
)
def test_a_reply_to_another_question_is_not_used(ledger: Ledger, change: dict[str, str]) -> None:
    settled(ledger)
    assert isinstance(ask(ledger, varied(REVIEW, **change)), Reserved)


def test_a_reply_that_the_account_already_holds_is_not_used_again(ledger: Ledger) -> None:
    first = settled(ledger)
    again = varied(REVIEW, consumed_event_id=first.event_id)
    second = settled(ledger, again)
    replayed = ask(ledger, again)
    assert isinstance(replayed, Replay)
    assert replayed.reply.event_id == second.event_id
    assert isinstance(ask(ledger, varied(REVIEW, consumed_event_id=second.event_id)), Reserved)


def test_of_several_unused_replies_the_newest_is_used(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    lost = sent(ledger)
    grow_old(assets_db)
    newer = settled(ledger)
    settle(ledger, lost)
    replayed = ask(ledger)
    assert isinstance(replayed, Replay)
    assert replayed.reply.event_id == newer.event_id


def test_a_late_reply_is_used_although_the_account_is_being_asked_about_again(
    ledger: Ledger, assets_db: ClonedDatabase
) -> None:
    late = sent(ledger)
    grow_old(assets_db)
    ledger.sweep()
    reserved(ledger)
    assert isinstance(ask(ledger), InFlight)
    settle(ledger, late)
    replayed = ask(ledger)
    assert isinstance(replayed, Replay)
    assert replayed.reply.event_id == late.event_id


def test_a_consumed_reply_that_is_gone_from_the_ledger_is_asked_for_again(ledger: Ledger) -> None:
    settled(ledger)
    assert isinstance(ask(ledger, varied(REVIEW, consumed_event_id=str(uuid4()))), Reserved)


class Crash(BaseException):
    """The process dies here."""


class DyingLedger(Ledger):
    """Commits the first `statements` writes of a call, then dies."""

    def __init__(self, database: ClonedDatabase, statements: int) -> None:
        super().__init__(database)
        self._left = statements

    def reserve(self, *args: Any, **kwargs: Any) -> Any:
        return self._then_die(super().reserve(*args, **kwargs))

    def mark_sent(self, *args: Any, **kwargs: Any) -> Any:
        return self._then_die(super().mark_sent(*args, **kwargs))

    def settle(self, *args: Any, **kwargs: Any) -> Any:
        return self._then_die(super().settle(*args, **kwargs))

    def _then_die(self, result: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise Crash
        return result


class Google:
    """Counts the requests that reached it."""

    def __init__(self) -> None:
        self.paid = 0

    def answer(self) -> None:
        self.paid += 1


def call(ledger: Ledger, google: Google, *, dies_after_sending: bool = False) -> Any:
    """The statements of one call in their order, as `MeteredCall` makes them."""
    place = ask(ledger)
    if not isinstance(place, Reserved):
        return place
    if ledger.mark_sent(place.event_id, SENT):
        google.answer()
        if dies_after_sending:
            raise Crash
        settle(ledger, place)
    return place


@pytest.mark.parametrize(
    ("statements", "paid_before", "paid_after", "rows", "used"),
    [
        (1, 0, 1, ["released", "settled"], 1),  # reserved, and nothing more
        (2, 0, 1, ["unknown", "settled"], 2),  # marked sent: it may have arrived, so it counts
        (3, 1, 1, ["settled"], 1),  # settled: replayed
    ],
)
def test_a_crash_after_any_statement_costs_no_second_paid_reply_and_no_place(
    assets_db: ClonedDatabase, statements: int, paid_before: int, paid_after: int, rows: list[str], used: int
) -> None:
    google = Google()
    with pytest.raises(Crash):
        call(DyingLedger(assets_db, statements), google)
    assert google.paid == paid_before
    ledger = Ledger(assets_db)
    at_once = call(ledger, google)
    assert isinstance(at_once, Replay if statements == 3 else InFlight)
    assert google.paid == paid_before
    grow_old(assets_db)
    call(ledger, google)
    assert google.paid == paid_after
    assert sorted(states(assets_db)) == sorted(rows)
    assert quota_of(ledger, LIMITS, FLASH).used == used
    assert isinstance(call(ledger, google), Replay)
    assert google.paid == paid_after


def test_a_crash_while_waiting_for_the_answer_counts_both_requests(assets_db: ClonedDatabase) -> None:
    google, ledger = Google(), Ledger(assets_db)
    with pytest.raises(Crash):
        call(ledger, google, dies_after_sending=True)
    grow_old(assets_db)
    call(ledger, google)
    assert google.paid == 2
    assert quota_of(ledger, LIMITS, FLASH).used == 2


class LosingLedger(Ledger):
    """Commits each of these writes, and the first time the connection ends before its answer is there."""

    def __init__(self, database: ClonedDatabase, lost: set[str]) -> None:
        super().__init__(database)
        self._lost = lost

    def reserve(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("reserve", super().reserve(*args, **kwargs))

    def mark_sent(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("mark_sent", super().mark_sent(*args, **kwargs))

    def settle(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("settle", super().settle(*args, **kwargs))

    def _answer(self, write: str, result: Any) -> Any:
        if write in self._lost:
            self._lost.remove(write)
            raise DatabaseUnavailable("The connection ended after the commit.")
        return result


def asked_once(ledger: Ledger, google: Google) -> Answered | NotAnswered:
    def send() -> Body:
        google.answer()
        return Body(BODY)

    return MeteredCall(
        ledger=ledger,
        keeper=RequestKeeper(None),
        send=send,
        call=REVIEW,
        run_id="run-1",
        stop=ImpatientStop(),
        deadline=datetime.now(UTC) + timedelta(hours=1),
    ).run()


@pytest.mark.parametrize("lost", [{"reserve"}, {"mark_sent"}, {"settle"}, {"reserve", "mark_sent", "settle"}])
def test_an_answer_that_was_lost_after_the_commit_costs_no_place_and_no_second_request(
    assets_db: ClonedDatabase, lost: set[str]
) -> None:
    google = Google()
    assert isinstance(asked_once(LosingLedger(assets_db, lost), google), Answered)
    assert not lost
    assert google.paid == 1
    assert states(assets_db) == ["settled"]


class CutLedger(Ledger):
    """Before each of these writes the server ends the only connection."""

    def __init__(self, database: PooledDatabase, killer: Connection) -> None:
        super().__init__(database)
        self._killer = killer
        self.cut: list[str] = []

    def reserve(self, *args: Any, **kwargs: Any) -> Any:
        self._cut("reserve")
        return super().reserve(*args, **kwargs)

    def mark_sent(self, *args: Any, **kwargs: Any) -> Any:
        self._cut("mark_sent")
        return super().mark_sent(*args, **kwargs)

    def settle(self, *args: Any, **kwargs: Any) -> Any:
        self._cut("settle")
        return super().settle(*args, **kwargs)

    def _cut(self, write: str) -> None:
        if write not in self.cut:
            self.cut.append(write)
            self._killer.execute(
                "select pg_terminate_backend(pid, 2000) from pg_stat_activity where application_name = 'cut'"
            )


@pytest.mark.parametrize("end_is_seen", [True, False])
def test_a_connection_that_ends_while_idle_costs_no_place_and_no_second_request(
    assets_db: ClonedDatabase, assets: Connection, monkeypatch: pytest.MonkeyPatch, end_is_seen: bool
) -> None:
    if not end_is_seen:
        monkeypatch.setattr(shared_pools, "_has_unread_data", lambda _: False)
    google = Google()
    with open_database(assets_db.url, max_connections=1, application_name="cut") as database:
        ledger = CutLedger(database, assets)
        ledger.sweep()
        assert isinstance(asked_once(ledger, google), Answered)
    assert ledger.cut == ["reserve", "mark_sent", "settle"]
    assert google.paid == 1
    assert states(assets_db) == ["settled"]


def test_only_the_holder_of_a_claim_is_given_its_place_again(ledger: Ledger) -> None:
    def asked(claim: str | None) -> Any:
        return ledger.reserve(REVIEW, 1, "run-1", claim)

    place = asked("ours")
    assert asked("ours").event_id == place.event_id
    assert isinstance(asked("another"), InFlight)
    assert isinstance(asked(None), InFlight)
    assert ledger.mark_sent(place.event_id, SENT)
    assert isinstance(asked("ours"), InFlight)


def test_a_stale_claim_is_swept_by_the_next_request_for_the_account(
    ledger: Ledger, assets_db: ClonedDatabase
) -> None:
    old = reserved(ledger, limits=capped(1))
    grow_old(assets_db)
    assert isinstance(ask(ledger, about("other"), capped(1)), Refused)
    assert reserved(ledger, limits=capped(1)).event_id != old.event_id
    assert states(assets_db) == ["released", "reserved"]


def test_a_stale_place_of_another_account_counts_until_it_is_swept(
    ledger: Ledger, assets_db: ClonedDatabase
) -> None:
    reserved(ledger, limits=capped(1))
    grow_old(assets_db)
    held = ask(ledger, about("other"), capped(1))
    assert isinstance(held, Refused)
    assert held.why is Unanswered.CAP_REACHED
    assert ledger.sweep() == 1
    assert reserved(ledger, about("other"), capped(1))
