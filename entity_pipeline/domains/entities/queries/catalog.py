"""Deciding one account under locks, and writing the decision: one transaction an account.

Lock order, the same for everybody: advisory locks (type + normalised names, handles) sorted by key, then the
account row, then one entity row. What was read before a lock is read again under it; whoever finds that the
ground has moved starts over. So two runs can't create twins, and can't deadlock with each other.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.settings import PLATFORM
from entity_pipeline.domains.entities.logic.decisions import Attach, Candidates, Decision, Hold, Link
from entity_pipeline.domains.entities.logic.gates import section
from entity_pipeline.domains.entities.logic.holds import HoldReason
from entity_pipeline.domains.entities.logic.names import normalised
from entity_pipeline.domains.entities.logic.review_record import verdict_from_record
from entity_pipeline.domains.entities.logic.usernames import handle_or_none
from entity_pipeline.domains.entities.models import TABLE_OF_TYPE, Account, EntityTable, Verdict
from entity_pipeline.domains.entities.queries.catalog_rows import (
    ACCOUNTS,
    attachable,
    load_account,
    load_candidates,
    waiting_for,
)
from entity_pipeline.domains.entities.queries.catalog_write import (
    Applied,
    CannotHold,
    Outcome,
    Writing,
    lock_entity,
    write,
)
from entity_pipeline.domains.entities.queries.vocabulary import Vocabulary, load_vocabulary

__all__ = [
    "Applied",
    "Decide",
    "Outcome",
    "apply_decision",
    "attachable",
    "load_account",
    "load_candidates",
    "waiting_for",
]

Decide = Callable[[Account, Verdict | None, Candidates], Decision]

MAX_STARTS = 5

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
) -> Applied:
    """Decide one account on its stored review and write the result with its audit rows.

    Running it again with the same result writes nothing. Call it outside of any transaction. `vocabulary` is
    `load_vocabulary(connection)`, for callers that decide many accounts.

    Raises:
        TransientFailure: other writers kept changing the same rows.
    """
    known = load_vocabulary(connection) if vocabulary is None else vocabulary
    for _ in range(MAX_STARTS):
        try:
            with connection.transaction():
                return _decide_under_locks(connection, account_id, decide, run_id, now, known)
        except (_Moved, errors.DeadlockDetected, errors.SerializationFailure):
            continue
    raise TransientFailure(f"Account {account_id} keeps changing while it is being linked: run it again.")


def _decide_under_locks(
    connection: psycopg.Connection[Any],
    account_id: UUID,
    decide: Decide,
    run_id: str,
    now: datetime,
    vocabulary: Vocabulary,
) -> Applied:
    seen = load_account(connection, account_id)
    if seen is None:
        return Applied(Outcome.MISSING)
    keys = _lock_keys(seen)
    connection.execute(_LOCK, [sorted(keys)])
    account = load_account(connection, account_id, for_update=True)
    if account is None:
        return Applied(Outcome.MISSING)
    if not _lock_keys(account) <= keys:
        raise _Moved
    verdict = _verdict(account)
    candidates = load_candidates(connection, account, verdict.review if verdict else None)
    decision = decide(account, verdict, candidates)
    target = _target(decision)
    if target is not None:
        # A person does not take our advisory locks, so the entity may have changed until its row is held.
        if not lock_entity(connection, *target):
            raise _Moved
        candidates = load_candidates(connection, account, verdict.review if verdict else None)
        decision = decide(account, verdict, candidates)
        if _target(decision) not in (target, None):
            raise _Moved
    if _decides_nothing(account, decision):
        return _untouched(decision)
    return _write_or_hold(Writing(connection, account, candidates.ours, vocabulary, run_id, now), decision)


def _write_or_hold(writing: Writing, decision: Decision) -> Applied:
    try:
        with writing.connection.transaction():
            return write(writing, decision)
    except CannotHold:
        reason = HoldReason.VALUE_NOT_IN_ENUM
    except _REFUSALS as error:
        reason = _refusal(error)
    earlier = decision.reasons if isinstance(decision, Hold) else ()
    writing.notes.clear()
    return write(writing, Hold((*earlier, reason)))


def _refusal(error: psycopg.Error) -> HoldReason:
    if not isinstance(error, errors.UniqueViolation):
        return HoldReason.WRITE_REFUSED
    in_accounts = error.diag.table_name == ACCOUNTS
    return HoldReason.ENTITY_HAS_OTHER_PRIMARY if in_accounts else HoldReason.ACCOUNT_HAS_OTHER_ENTITY


def _lock_keys(account: Account) -> frozenset[str]:
    """Names guard against twins; handles make a primary account and those that wait for it take turns."""
    handles = {account.handle}
    names: frozenset[str] = frozenset()
    verdict = _verdict(account)
    if verdict is not None:
        review = verdict.review
        handles.add(handle_or_none(review.primary_username))
        if review.account_type in TABLE_OF_TYPE:
            forms = normalised((review.name_en, review.name_ko, account.name_en, account.name_ko))
            names = frozenset(f"{PLATFORM}:{review.account_type}:{form}" for form in forms)
    return names | {f"{PLATFORM}:handle:{handle}" for handle in handles if handle}


def _verdict(account: Account) -> Verdict | None:
    return verdict_from_record(section(account, "gemini_review"))


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
