"""Keep `enrichment_queue` equal to the accounts: after our own writes, after other writes, and fully once per day.

The two databases share no transaction, so the list is always written after the accounts. If a process dies between the
two, the next sweep finds the account, because the list does not have its `updated_at` yet. How the list is used does
not belong here (see `backlog.py`).
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from types import TracebackType
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.logic.standing import standing
from entity_pipeline.domains.entities.accounts.queries.account_facts import (
    changed_since,
    facts_after,
    facts_of,
    horizon,
)
from entity_pipeline.domains.entities.accounts.queries.queue_rows import (
    FIRST_ID,
    LAST_ID,
    Sweep,
    forget_accounts,
    list_accounts,
    listed_between,
    listed_changes,
    note_comparison,
    note_pass,
    read_sweep,
)

_log = logging.getLogger(__name__)

READ_AT_ONCE = 1_000
PAGE = 20_000
COMPARE_EVERY = timedelta(days=1)
LIST_IS_LATE = timedelta(hours=1)
"""How far the list may be behind the accounts before an alert is sent; a sweep runs every minute."""


def is_comparison_due(assets: Connection[Any], now: datetime) -> bool:
    """Whether the last comparison of all accounts is a day old or was interrupted."""
    state = read_sweep(assets)
    return state is None or state.compared_at is None or now - state.compared_at >= COMPARE_EVERY


@dataclass(frozen=True, slots=True)
class SweepReport:
    """The result of a sweep or comparison: rows that differed, rows of deleted accounts, and whether it finished."""

    corrected: int
    removed: int
    is_finished: bool
    as_of: datetime | None


def follow(operation: Connection[Any], assets: Connection[Any], ids: Sequence[UUID]) -> tuple[int, int]:
    """Update the rows of these accounts; returns how many differed, and how many accounts are gone."""
    corrected = removed = 0
    for begin in range(0, len(ids), READ_AT_ONCE):
        some = ids[begin : begin + READ_AT_ONCE]
        found, read_at = facts_of(operation, some)
        corrected += list_accounts(assets, [standing(account) for account in found], read_at)
        gone = set(some) - {account.id for account in found}
        removed += forget_accounts(assets, sorted(gone), read_at)
    return corrected, removed


def sweep(operation: Connection[Any], assets: Connection[Any], *, give_up_at: float) -> SweepReport:
    """Follow all writes since the last sweep, by `updated_at`.

    At `give_up_at` (`time.monotonic`) it stops after the current page, and the next call continues from there.
    """
    state = read_sweep(assets)
    if state is None:
        return SweepReport(0, 0, is_finished=False, as_of=None)
    if state.pass_began_at is None or state.walked_at is None:
        now = horizon(operation)
        state = replace(
            state,
            pass_began_at=now.now,
            pass_settles_at=now.settles_at,
            walked_at=state.settled_at,
            walked_id=FIRST_ID,
        )
    corrected = removed = 0
    while True:
        assert state.walked_at is not None
        place = (state.walked_at, state.walked_id or FIRST_ID)
        page = changed_since(operation, *place, PAGE)
        if page:
            end = (page[-1][0], UUID(page[-1][1]))
            stale = set(page) - listed_changes(assets, place, end)
            more = follow(operation, assets, sorted(UUID(account_id) for _, account_id in stale))
            corrected, removed = corrected + more[0], removed + more[1]
            state = replace(state, walked_at=end[0], walked_id=end[1])
        if len(page) < PAGE:
            break
        note_pass(assets, state)
        if time.monotonic() >= give_up_at:
            return SweepReport(corrected, removed, is_finished=False, as_of=state.as_of)
    assert state.pass_settles_at is not None
    ended = Sweep(settled_at=state.pass_settles_at, as_of=state.pass_began_at)
    note_pass(assets, ended)
    return SweepReport(corrected, removed, is_finished=True, as_of=ended.as_of)


def sweep_all(operation_db: Database, assets_db: Database) -> SweepReport:
    """Sweep to the end, however long it takes, before a plan that must not miss an account."""
    with operation_db.connection() as operation, assets_db.connection() as assets:
        return sweep(operation, assets, give_up_at=math.inf)


def compare(operation: Connection[Any], assets: Connection[Any], *, give_up_at: float) -> SweepReport:
    """Compare every row with its account: finds deletions, and writes that did not touch `updated_at`.

    At `give_up_at` (`time.monotonic`) it stops, and the next call continues from there.
    """
    state = read_sweep(assets)
    if state is None:
        return SweepReport(0, 0, is_finished=False, as_of=None)
    if state.comparison_began_at is None or state.compared_id is None:
        state = replace(state, comparison_began_at=horizon(operation).now, compared_id=FIRST_ID)
    corrected = removed = 0
    while True:
        assert state.compared_id is not None
        found, read_at = facts_after(operation, state.compared_id, READ_AT_ONCE)
        last = found[-1].id if len(found) == READ_AT_ONCE else LAST_ID
        listed = listed_between(assets, state.compared_id, last)
        right = {account.id: standing(account) for account in found}
        wrong = [row for row in right.values() if listed.get(row.account_id) != row]
        corrected += list_accounts(assets, wrong, read_at)
        removed += forget_accounts(assets, sorted(listed.keys() - right.keys()), read_at)
        if last == LAST_ID:
            break
        state = replace(state, compared_id=last)
        if time.monotonic() >= give_up_at:
            note_comparison(assets, state)
            return SweepReport(corrected, removed, is_finished=False, as_of=state.as_of)
    note_comparison(assets, Sweep(settled_at=state.settled_at, compared_at=state.comparison_began_at))
    return SweepReport(corrected, removed, is_finished=True, as_of=state.as_of)


def correct(
    operation_db: Database,
    assets_db: Database,
    listed: Callable[[Connection[Any]], Sequence[UUID]],
    found: Collection[UUID],
) -> None:
    """Follow the accounts that the list named for a run but the run did not find: they changed, or are gone.

    Otherwise runs would be launched for a deleted account until the next comparison.
    """
    with assets_db.connection() as assets:
        missed = set(listed(assets)) - set(found)
        if missed:
            with operation_db.connection() as operation:
                follow(operation, assets, sorted(missed))


class QueueKeeper(AbstractContextManager["QueueKeeper"]):
    """Follows the accounts that a stage has written, some at a time; safe for threads.

    Used as ``with QueueKeeper(...) as keeper``: the rest is followed at the end of the block, even after an error.
    An unreachable database never fails the stage, whose results are already stored: the next sweep finds them.
    """

    def __init__(self, operation_db: Database, assets_db: Database, *, at_once: int = 50) -> None:
        self._operation_db = operation_db
        self._assets_db = assets_db
        self._at_once = at_once
        self._written: list[UUID] = []
        self._lock = Lock()

    def note(self, *account_ids: UUID) -> None:
        """Note accounts whose write is committed."""
        with self._lock:
            self._written += account_ids
            if len(self._written) < self._at_once:
                return
            chosen, self._written = self._written, []
        self._follow(chosen)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            chosen, self._written = self._written, []
        self._follow(chosen)

    def _follow(self, ids: list[UUID]) -> None:
        if not ids:
            return
        try:
            with self._operation_db.connection() as operation, self._assets_db.connection() as assets:
                follow(operation, assets, list(dict.fromkeys(ids)))
        except PipelineFailure as failure:
            _log.warning("enrichment_queue will be updated later: %s", failure)
