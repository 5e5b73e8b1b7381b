"""Decide one account under locks and write the decision, in one transaction per account.

The lock order is the same everywhere: advisory locks (type and normalised names, handles) sorted by key, then the
account row, then one entity row. Values read before a lock are read again under it, and if they have changed, the
decision starts over. So two runs can neither create twins nor deadlock.

It takes two or three round trips: the locks and the reads under them; if there is an entity, its row and the reads
again; the writes with their commit. A write that a constraint refuses ends the transaction, and the account is held in
a second one. The writes of a decision are in `catalog_write`, the rules in `logic/decide`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.language.same_name import near_forms, normalised
from entity_pipeline.domains.entities.links.logic.decisions import (
    Attach,
    Candidates,
    Decision,
    Fact,
    FactKind,
    Hold,
    Link,
)
from entity_pipeline.domains.entities.links.logic.follow import former_rows
from entity_pipeline.domains.entities.links.logic.gates import section
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.queries.catalog_rows import (
    ACCOUNTS,
    ask_account,
    ask_candidates,
    ask_waiting_for,
    load_account,
)
from entity_pipeline.domains.entities.links.queries.catalog_write import (
    Applied,
    CannotHold,
    LinkOutcome,
    LockedEntity,
    Writing,
    ask_entity,
    write,
)
from entity_pipeline.domains.entities.links.queries.follow import (
    Following,
    follow_former_handles,
    hold_former_links,
)
from entity_pipeline.domains.entities.links.queries.vocabulary import Vocabulary, load_vocabulary
from entity_pipeline.domains.entities.models import TABLE_OF_TYPE, Account, EntityTable, Verdict
from entity_pipeline.domains.entities.reviews.logic.record import ReviewRecord
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.database.refusals import is_refusal, said_by
from entity_pipeline.shared.database.round_trip import RoundTrip

__all__ = [
    "Applied",
    "Decide",
    "LinkOutcome",
    "LinkRun",
    "apply_decision",
    "load_account",
]

Decide = Callable[[Account, Verdict | None, Candidates], Decision]

MAX_STARTS = 5

# The planner does not know the cost of normalising every name, so even a small catalog is read by index.
_BY_INDEX = "set local enable_seqscan = off"
_LOCK = """
select pg_advisory_xact_lock(key)
from (select distinct hashtextextended(name, 0) as key from unnest(%s::text[]) name
      order by key offset 0) keys
"""


class _Moved(Exception):
    """Values that determine the locks changed before the locks were held."""


@dataclass(frozen=True, slots=True)
class LinkRun:
    """The common input of one run's decisions. `vocabulary` is loaded for each account if it is None.

    `check_schema` is called after a write was refused; it raises if the account is not at fault.
    """

    decide: Decide
    run_id: str
    now: datetime
    vocabulary: Vocabulary | None = None
    check_schema: Callable[[psycopg.Connection[Any]], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why the database refused a write, and its message if no other reason tells a person what to do."""

    reason: HoldReason
    said: str | None = None


def apply_decision(
    connection: psycopg.Connection[Any], account_id: UUID, run: LinkRun, *, seen: Account | None = None
) -> Applied:
    """Decide one account by its stored review and write the result with its audit rows, in one transaction.

    Running it again with the same result writes nothing. Call it outside of any transaction. `seen` is the recently
    loaded account, for callers that load many.

    Raises:
        TransientFailure: other writers kept changing the same rows.
        SchemaMismatch: the schema refuses such a write for every account.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise AssertionError("a decision makes its own transaction: its commit would end the one around it")
    if run.vocabulary is None:
        run = replace(run, vocabulary=load_vocabulary(connection))
    refusal: _Refusal | None = None
    for _ in range(MAX_STARTS):
        account = seen or load_account(connection, account_id)
        if account is None:
            return Applied(LinkOutcome.MISSING)
        try:
            if former_rows(account):
                reasons = _follow(connection, account, run)
                if reasons:
                    return Applied(LinkOutcome.HELD, reasons=reasons)
                account = load_account(connection, account_id) or account
            with _rolled_back_on_error(connection):
                return _Attempt(connection, account, run, refusal).apply()
        except (_Moved, errors.DeadlockDetected, errors.SerializationFailure):
            pass
        except psycopg.Error as error:
            if not is_refusal(error):
                raise
            # Once more, with a hold in place of the refused decision.
            if refusal is not None:
                return Applied(LinkOutcome.REFUSED, said=said_by(error))
            refusal = _refusal(error)
            if refusal.reason is HoldReason.WRITE_REFUSED:
                run.check_schema(connection)
        seen = None
    raise TransientFailure(f"Account {account_id} keeps changing while it is being linked: run it again.")


def _follow(connection: psycopg.Connection[Any], account: Account, run: LinkRun) -> tuple[HoldReason, ...]:
    following = Following(run.run_id, run.now)
    try:
        return follow_former_handles(connection, account, following)
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        hold_former_links(connection, account, following)
        return (HoldReason.FORMER_LINKS,)


@contextmanager
def _rolled_back_on_error(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Roll back on an error: `begin` and `commit` are sent with other statements, without a block of psycopg."""
    try:
        yield
    except BaseException:
        if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            connection.execute("rollback")
        raise


class _Attempt:
    """One transaction about one account: lock, decide, lock the entity and decide again, write."""

    def __init__(
        self, connection: psycopg.Connection[Any], seen: Account, run: LinkRun, refusal: _Refusal | None
    ) -> None:
        self._connection = connection
        self._trip = RoundTrip(connection)
        self._seen = seen
        self._run = run
        self._refusal = refusal

    def apply(self) -> Applied:
        """Make the attempt. Raises `_Moved` if values read before a lock have changed under it."""
        locked = self._lock_account()
        if locked is None:
            self._connection.execute("rollback")
            return Applied(LinkOutcome.MISSING)
        account, candidates = locked
        decision = self._decide(account, candidates)
        entity = None
        if target := _target(decision):
            entity, candidates = self._lock_entity(account, *target)
            decision = self._decide(account, candidates)
            if _target(decision) not in (target, None):
                raise _Moved
        if _decides_nothing(account, decision):
            self._connection.execute("rollback")
            return _untouched(decision)
        if self._refusal is not None:
            decision = _held_for(self._refusal.reason, decision, self._refusal.said)
        vocabulary = self._run.vocabulary or {}
        run_id, now = self._run.run_id, self._run.now
        writing = Writing(self._trip, account, candidates.ours, vocabulary, run_id, now, entity)
        return self._write(writing, decision)

    def _lock_account(self) -> tuple[Account, Candidates] | None:
        """The account under its locks, with its candidates in the catalog; None if it is gone."""
        verdict = _verdict(self._seen)
        trip = self._trip
        # A stricter level, if it is the server's default, would read the state before the locks.
        trip.add("begin isolation level read committed")
        trip.add(_BY_INDEX)
        trip.add(_LOCK, [sorted(_lock_keys(self._seen, verdict))])
        locked = ask_account(trip, self._seen.id, for_update=True)
        around = ask_candidates(trip, self._seen, verdict.review if verdict else None)
        trip.go()
        account = locked.value
        if account is None:
            return None
        if _asked_for(account, _verdict(account)) != _asked_for(self._seen, verdict):
            raise _Moved
        return account, around(account)

    def _lock_entity(
        self, account: Account, table: EntityTable, entity_id: UUID
    ) -> tuple[LockedEntity, Candidates]:
        """The entity under its lock. People do not take our advisory locks, so it may have changed before that."""
        verdict = _verdict(account)
        row, ours = ask_entity(self._trip, table, entity_id)
        around = ask_candidates(self._trip, account, verdict.review if verdict else None)
        self._trip.go()
        if row.value is None:
            raise _Moved
        return LockedEntity(row.value, ours.value), around(account)

    def _decide(self, account: Account, candidates: Candidates) -> Decision:
        return self._run.decide(account, _verdict(account), candidates)

    def _write(self, writing: Writing, decision: Decision) -> Applied:
        try:
            applied = write(writing, decision)
        except CannotHold:
            writing = replace(writing, trip=RoundTrip(self._connection), notes=[])
            applied = write(writing, _held_for(HoldReason.VALUE_NOT_IN_ENUM, decision))
        return _committed(writing, applied)


def _committed(writing: Writing, applied: Applied) -> Applied:
    trip, handle = writing.trip, writing.account.handle
    trip.add("commit")
    if handle is None or applied.entity_id is None:
        trip.go()
        return applied
    followers = ask_waiting_for(trip, handle)
    trip.go()
    return replace(applied, followers=followers.value)


def _held_for(reason: HoldReason, decision: Decision, said: str | None = None) -> Hold:
    earlier = decision if isinstance(decision, Hold) else Hold(())
    facts = {reason: (Fact(FactKind.SAID, said),)} if said else {}
    return Hold((*earlier.reasons, reason), facts={**earlier.facts, **facts})


def _refusal(error: psycopg.Error) -> _Refusal:
    if not isinstance(error, errors.UniqueViolation):
        return _Refusal(HoldReason.WRITE_REFUSED, said_by(error))
    in_accounts = error.diag.table_name == ACCOUNTS
    return _Refusal(
        HoldReason.ENTITY_HAS_OTHER_PRIMARY if in_accounts else HoldReason.ACCOUNT_HAS_OTHER_ENTITY
    )


def _asked_for(account: Account, verdict: Verdict | None) -> tuple[Any, ...]:
    """The values that chose the locks and the candidates."""
    review = verdict.review if verdict else None
    return account.handle, account.username, account.name_en, account.name_ko, review


def _lock_keys(account: Account, verdict: Verdict | None) -> frozenset[str]:
    """Names prevent twins; handles serialise a primary account and the accounts that wait for it."""
    handles = {account.handle}
    names: frozenset[str] = frozenset()
    if verdict is not None:
        review = verdict.review
        handles.add(handle_or_none(review.primary_username))
        if review.account_type in TABLE_OF_TYPE:
            written = (review.name_en, review.name_ko, account.name_en, account.name_ko)
            forms = normalised(written) | near_forms(written)
            names = frozenset(f"{EntitySettings.row}:name:{form}" for form in forms)
    return names | {f"{EntitySettings.row}:handle:{handle}" for handle in handles if handle}


def _verdict(account: Account) -> Verdict | None:
    record = ReviewRecord.from_json(section(account, "gemini_review"))
    return record.verdict if record else None


def _target(decision: Decision) -> tuple[EntityTable, UUID] | None:
    return (decision.table, decision.entity_id) if isinstance(decision, Link | Attach) else None


def _decides_nothing(account: Account, decision: Decision) -> bool:
    """Whether no decision is due: an undone one stays undone, and an account needs a finished review."""
    if not isinstance(decision, Hold):
        return False
    not_reviewed = section(account, "gemini_review").get("status") != "reviewed"
    return HoldReason.UNDONE in decision.reasons or (
        not_reviewed and HoldReason.NOT_REVIEWED in decision.reasons
    )


def _untouched(decision: Decision) -> Applied:
    reasons = decision.reasons if isinstance(decision, Hold) else ()
    return Applied(LinkOutcome.UNDONE if HoldReason.UNDONE in reasons else LinkOutcome.HELD, reasons=reasons)
