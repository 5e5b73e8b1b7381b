"""The list of accounts: pages, counts and rows over `accounts/queries/queue.py`. Cursors are in `queue_cursor.py`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from psycopg import Connection

from entity_pipeline.admin.cursors import cut
from entity_pipeline.admin.stored_values import instant, share, whole
from entity_pipeline.admin.texts import catalogue
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.domains.entities.accounts.enrichment_queue import LIST_IS_LATE
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.accounts.queries.queue import (
    ListedEntry,
    QueueFilter,
    ShownAccount,
    queue_entries,
    reason_counts,
    shown_accounts,
    state_counts,
)
from entity_pipeline.domains.entities.accounts.queries.queue_rows import read_sweep
from entity_pipeline.domains.entities.language.same_name import normalise_name
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.page.queue_cursor import cursor_of, place_of
from entity_pipeline.domains.entities.page.queue_values import (
    NONE,
    Count,
    Counts,
    QueuePage,
    QueueQuery,
    QueueRow,
)
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day

LIST_IS_HIDDEN = (
    "This role sees no row of enrichment_queue_sweep: run `entity-pipeline migrate`, or give the role a policy there "
    "and on enrichment_queue (docs/schema.md)."
)

_PACKAGE = "entity_pipeline.domains.entities.page"
_WITHOUT_PROOF = frozenset(
    {
        HoldReason.UNGROUNDED,
        HoldReason.NO_CHUNKS,
        HoldReason.NO_SUPPORT,
        HoldReason.NOT_OFFICIAL,
        HoldReason.ACCOUNT_UNPROVEN,
        HoldReason.CLAIM_UNPROVEN,
        HoldReason.FIELD_DIFFERS,
        HoldReason.ATTACH_UNPROVEN,
    }
)


def queue_page(assets: Connection, operation: Connection, query: QueueQuery) -> QueuePage:
    """One page; an account that was deleted since it was listed is left out.

    Raises:
        UnknownCursor: the cursor belongs to another query.
    """
    place = place_of(query)
    found = queue_entries(assets, filter_of(query), query.sort.value, place, query.limit + 1)
    backwards = place is not None and place.backwards
    entries, has_next, has_previous = cut(found, query.limit, is_first=place is None, backwards=backwards)
    first = entries[0].key if entries else (place.key if place else [])
    last = entries[-1].key if entries else first
    return QueuePage(
        rows=rows_of(operation, entries),
        next_cursor=cursor_of(query, last, backwards=False) if has_next else None,
        previous_cursor=cursor_of(query, first, backwards=True) if has_previous else None,
    )


def queue_counts(connection: Connection) -> Counts:
    """States and reasons over all accounts, and the time up to which the list is complete.

    Raises:
        ConfigurationFailure: this role sees no row of the list.
    """
    sweep = read_sweep(connection)
    if sweep is None:
        raise ConfigurationFailure(LIST_IS_HIDDEN)
    states, reasons, now = state_counts(connection), reason_counts(connection), datetime.now(UTC)
    return Counts(
        total=sum(states.values()),
        states=[Count(value=state, accounts=states.get(state, 0)) for state in AccountState],
        held_reasons=_reasons(reasons.get(AccountState.HELD, {})),
        failed_reasons=_reasons(reasons.get(AccountState.FAILED, {})),
        list_as_of=sweep.as_of,
        list_is_late=sweep.as_of is None or now - sweep.as_of > LIST_IS_LATE,
        as_of=now,
    )


def known_reasons(connection: Connection) -> set[str]:
    """The reasons that a rule may give, and those of older rules that some account still has."""
    named = catalogue(_PACKAGE, "en")
    known = {key.removeprefix("reason.") for key in named if key.startswith("reason.")}
    return known.union(*(counts.keys() for counts in reason_counts(connection).values()))


def rows_of(operation: Connection, entries: Sequence[ListedEntry]) -> list[QueueRow]:
    """The rows for the entries, without those whose account is gone."""
    accounts = shown_accounts(operation, [entry.id for entry in entries]) if entries else {}
    return [_row(entry, accounts[entry.id]) for entry in entries if entry.id in accounts]


def _row(entry: ListedEntry, account: ShownAccount) -> QueueRow:
    """The row for an entry; unreadable metadata is shown as absent."""
    return QueueRow(
        id=entry.id,
        username=account.username,
        state=AccountState(entry.state),
        name_en=account.name_en,
        name_ko=account.name_ko,
        type=entry.type,
        role=entry.role,
        is_unproven=is_unproven(account.stored_type, entry.reasons),
        region=entry.region,
        cohort=shown_cohort(entry.cohort),
        posts=entry.posts,
        run_id=account.run_id,
        confidence=share(account.confidence),
        reasons=list(entry.reasons),
        attempts=whole(account.attempts),
        last_error=account.last_error,
        next_attempt_at=instant(entry.next_attempt),
        created_at=entry.created_at,
        updated_at=account.updated_at,
    )


def is_unproven(stored_type: str | None, reasons: Sequence[str]) -> bool:
    """Whether the shown type is only a claim of the review: held for want of proof, and no column has a type."""
    return stored_type in (None, "unknown") and not _WITHOUT_PROOF.isdisjoint(reasons)


def shown_cohort(cohort: date) -> date:
    """The partition that a cohort belongs to: the first one includes all earlier days."""
    return min(max(cohort, FIRST_DAY), last_day(datetime.now(UTC)))


def _reasons(counted: dict[str, int]) -> list[Count]:
    known = set(HoldReason)
    return [
        Count(value=reason, accounts=count, meaning=HoldReason(reason).reason if reason in known else None)
        for reason, count in counted.items()
    ]


def filter_of(query: QueueQuery) -> QueueFilter:
    """The query's filters for the statement."""
    search = "".join(c for c in query.search or "" if c.isprintable()).strip()
    handle = search.lstrip("@").lower()
    return QueueFilter(
        states=query.state,
        type=query.type,
        role=query.role,
        region=NONE if query.region == NONE else query.region,
        reason=query.reason,
        cohorts=_days_of(query.cohort),
        handle=handle or None,
        name=(normalise_name(search) or None) if handle else None,
    )


def _days_of(cohort: date | None) -> tuple[date | None, date | None]:
    if cohort is None:
        return None, None
    newest = last_day(datetime.now(UTC))
    return (None if cohort <= FIRST_DAY else cohort), (None if cohort == newest else max(cohort, FIRST_DAY))
