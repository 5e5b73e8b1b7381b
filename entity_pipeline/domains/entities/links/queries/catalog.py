"""Deciding one account under locks, and writing the decision: one transaction an account.

Lock order, the same for everybody: advisory locks (type + normalised names, handles) sorted by key, then the
account row, then one entity row. What was read before a lock is read again under it; whoever finds that the
ground has moved starts over. So two runs can't create twins, and can't deadlock with each other.

Two or three round trips: locks and what is read under them; the entity's row and the same again, where an entity
is there; the writes with their commit. A write that a constraint refuses ends the transaction, and the account is
held in a second one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.settings import PLATFORM
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.links.logic.decisions import Attach, Candidates, Decision, Hold, Link
from entity_pipeline.domains.entities.links.logic.gates import section
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.logic.names import normalised
from entity_pipeline.domains.entities.links.queries.catalog_rows import (
    ACCOUNTS,
    ask_account,
    ask_candidates,
    ask_waiting_for,
    attachable,
    load_account,
)
from entity_pipeline.domains.entities.links.queries.catalog_write import (
    Applied,
    CannotHold,
    LockedEntity,
    Outcome,
    Writing,
    ask_entity,
    write,
)
from entity_pipeline.domains.entities.links.queries.round_trip import RoundTrip
from entity_pipeline.domains.entities.links.queries.vocabulary import Vocabulary, load_vocabulary
from entity_pipeline.domains.entities.models import TABLE_OF_TYPE, Account, EntityTable, Verdict
from entity_pipeline.domains.entities.reviews.logic.record import ReviewRecord

__all__ = [
    "Applied",
    "Decide",
    "Outcome",
    "apply_decision",
    "attachable",
    "load_account",
]

Decide = Callable[[Account, Verdict | None, Candidates], Decision]

MAX_STARTS = 5

# A small catalog is looked up by index too: the planner does not know how long it takes to normalise every name.
_BY_INDEX = "set local enable_seqscan = off"
_LOCK = """
select pg_advisory_xact_lock(key)
from (select distinct hashtextextended(name, 0) as key from unnest(%s::text[]) name
      order by key offset 0) keys
"""

_REFUSALS = (psycopg.IntegrityError, psycopg.DataError, errors.RaiseException)


class _Moved(Exception):
    """Something that the locks were taken for has changed before they were held."""


def apply_decision(
    connection: psycopg.Connection[Any],
    account_id: UUID,
    decide: Decide,
    run_id: str,
    now: datetime,
    *,
    vocabulary: Vocabulary | None = None,
    seen: Account | None = None,
) -> Applied:
    """Decide one account on its stored review and write the result with its audit rows, in one transaction.

    Running it again with the same result writes nothing. Call it outside of any transaction. `vocabulary` is
    `load_vocabulary(connection)` and `seen` the account as it was a moment ago, for callers that decide many.

    Raises:
        TransientFailure: other writers kept changing the same rows.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise AssertionError("a decision makes its own transaction: its commit would end the one around it")
    known = load_vocabulary(connection) if vocabulary is None else vocabulary
    refusal: HoldReason | None = None
    for _ in range(MAX_STARTS):
        account = seen or load_account(connection, account_id)
        if account is None:
            return Applied(Outcome.MISSING)
        try:
            with _rolled_back_on_error(connection):
                return _decide_under_locks(connection, account, decide, run_id, now, known, refusal)
        except (_Moved, errors.DeadlockDetected, errors.SerializationFailure):
            pass
        except _REFUSALS as error:
            # The same once more, with a hold in place of what was refused. A hold that is refused is a failure.
            if refusal is not None:
                raise
            refusal = _refusal(error)
        seen = None
    raise TransientFailure(f"Account {account_id} keeps changing while it is being linked: run it again.")


@contextmanager
def _rolled_back_on_error(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """`begin` and `commit` travel with other statements, so there is no block of psycopg's around them."""
    try:
        yield
    except BaseException:
        if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            connection.execute("rollback")
        raise


def _decide_under_locks(
    connection: psycopg.Connection[Any],
    seen: Account,
    decide: Decide,
    run_id: str,
    now: datetime,
    vocabulary: Vocabulary,
    refusal: HoldReason | None,
) -> Applied:
    verdict = _verdict(seen)
    review = verdict.review if verdict else None
    trip = RoundTrip(connection)
    # A stricter level, should the server default to one, would read what was there before the locks.
    trip.add("begin isolation level read committed")
    trip.add(_BY_INDEX)
    trip.add(_LOCK, [sorted(_lock_keys(seen, verdict))])
    locked = ask_account(trip, seen.id, for_update=True)
    around = ask_candidates(trip, seen, review)
    trip.go()
    account = locked.value
    if account is None:
        connection.execute("rollback")
        return Applied(Outcome.MISSING)
    verdict = _verdict(account)
    if _asked_for(account, verdict) != _asked_for(seen, _verdict(seen)):
        raise _Moved
    candidates = around(account)
    decision = decide(account, verdict, candidates)
    entity = None
    target = _target(decision)
    if target is not None:
        # A person does not take our advisory locks, so the entity may have changed until its row is held.
        row, ours = ask_entity(trip, *target)
        around = ask_candidates(trip, account, review)
        trip.go()
        if row.value is None:
            raise _Moved
        entity = LockedEntity(row.value, ours.value)
        candidates = around(account)
        decision = decide(account, verdict, candidates)
        if _target(decision) not in (target, None):
            raise _Moved
    if _decides_nothing(account, decision):
        connection.execute("rollback")
        return _untouched(decision)
    if refusal is not None:
        decision = _held_for(refusal, decision)
    writing = Writing(trip, account, candidates.ours, vocabulary, run_id, now, entity)
    try:
        applied = write(writing, decision)
    except CannotHold:
        writing = replace(writing, trip=RoundTrip(connection), notes=[])
        applied = write(writing, _held_for(HoldReason.VALUE_NOT_IN_ENUM, decision))
    return _committed(writing, applied)


def _committed(writing: Writing, applied: Applied) -> Applied:
    trip, handle = writing.trip, writing.account.handle
    trip.add("commit")
    if handle is None or applied.outcome not in (Outcome.LINKED, Outcome.CREATED):
        trip.go()
        return applied
    followers = ask_waiting_for(trip, handle)
    trip.go()
    return replace(applied, followers=followers.value)


def _held_for(reason: HoldReason, decision: Decision) -> Hold:
    return Hold((*(decision.reasons if isinstance(decision, Hold) else ()), reason))


def _refusal(error: psycopg.Error) -> HoldReason:
    if not isinstance(error, errors.UniqueViolation):
        return HoldReason.WRITE_REFUSED
    in_accounts = error.diag.table_name == ACCOUNTS
    return HoldReason.ENTITY_HAS_OTHER_PRIMARY if in_accounts else HoldReason.ACCOUNT_HAS_OTHER_ENTITY


def _asked_for(account: Account, verdict: Verdict | None) -> tuple[Any, ...]:
    """What the locks and the candidates were chosen by."""
    review = verdict.review if verdict else None
    return account.handle, account.username, account.name_en, account.name_ko, review


def _lock_keys(account: Account, verdict: Verdict | None) -> frozenset[str]:
    """Names guard against twins; handles make a primary account and those that wait for it take turns."""
    handles = {account.handle}
    names: frozenset[str] = frozenset()
    if verdict is not None:
        review = verdict.review
        handles.add(handle_or_none(review.primary_username))
        if review.account_type in TABLE_OF_TYPE:
            forms = normalised((review.name_en, review.name_ko, account.name_en, account.name_ko))
            names = frozenset(f"{PLATFORM}:{review.account_type}:{form}" for form in forms)
    return names | {f"{PLATFORM}:handle:{handle}" for handle in handles if handle}


def _verdict(account: Account) -> Verdict | None:
    record = ReviewRecord.from_json(section(account, "gemini_review"))
    return record.verdict if record else None


def _target(decision: Decision) -> tuple[EntityTable, UUID] | None:
    return (decision.table, decision.entity_id) if isinstance(decision, Link | Attach) else None


def _decides_nothing(account: Account, decision: Decision) -> bool:
    """Undone stays undone, and an account without a finished review is not decided at all."""
    if not isinstance(decision, Hold):
        return False
    not_reviewed = section(account, "gemini_review").get("status") != "reviewed"
    return HoldReason.UNDONE in decision.reasons or (
        not_reviewed and HoldReason.NOT_REVIEWED in decision.reasons
    )


def _untouched(decision: Decision) -> Applied:
    reasons = decision.reasons if isinstance(decision, Hold) else ()
    return Applied(Outcome.UNDONE if HoldReason.UNDONE in reasons else Outcome.HELD, reasons=reasons)
