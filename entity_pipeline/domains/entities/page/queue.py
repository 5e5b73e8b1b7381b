"""The list of accounts: cursors, pages and exports over `accounts/queries/queue.py`.

A cursor names a place in one query and is worth nothing in another. It is not signed: whoever makes one up gets
a page that they could have asked for anyway, or a sentence.
"""

import base64
import binascii
import csv
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.admin.figures import (
    NONE,
    Count,
    Counts,
    QueuePage,
    QueueQuery,
    QueueRow,
    QueueState,
)
from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.queries.queue import (
    Place,
    QueueEntry,
    QueueFilter,
    is_hidden,
    key_types,
    queue_entries,
    reason_counts,
    state_counts,
)
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.logic.names import normalise_name
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day

EXPORT_BATCH = 1_000
_MOST_POSTS = 1_000_000_000


def queue_page(connection: Connection, query: QueueQuery) -> QueuePage:
    """One page. Raises `InputRejected` for a cursor that is not of this query."""
    place = _place(query)
    entries = queue_entries(connection, _filter(query), query.sort.value, place, query.limit + 1)
    has_more = len(entries) > query.limit
    backwards = place is not None and place.backwards
    if has_more:
        entries = entries[1:] if backwards else entries[:-1]
    has_next, has_previous = (True, has_more) if backwards else (has_more, place is not None)
    first = entries[0].key if entries else (place.key if place else [])
    last = entries[-1].key if entries else first
    return QueuePage(
        rows=[row_of(entry) for entry in entries],
        next_cursor=_cursor(query, last, backwards=False) if has_next else None,
        previous_cursor=_cursor(query, first, backwards=True) if has_previous else None,
    )


def queue_counts(connection: Connection) -> Counts:
    """States and reasons over all accounts.

    Raises:
        ConfigurationFailure: there are accounts, and the list shows none.
    """
    states, reasons = state_counts(connection), reason_counts(connection)
    if not states and is_hidden(connection):
        raise ConfigurationFailure(
            "enrichment_queue shows no row, and there are accounts: give the role a policy on it (docs/admin.md), or "
            "run `entity-pipeline migrate`."
        )
    return Counts(
        total=sum(states.values()),
        states=[Count(value=state, accounts=states.get(state, 0)) for state in QueueState],
        held_reasons=_reasons(reasons.get(QueueState.HELD, {})),
        failed_reasons=_reasons(reasons.get(QueueState.FAILED, {})),
        as_of=datetime.now(UTC),
    )


def export_rows(database: Database, query: QueueQuery) -> Iterator[list[QueueRow]]:
    """All rows of the query in batches; a connection is held only while a batch is read."""
    wanted, place = _filter(query), None
    while True:
        with database.connection() as connection:
            entries = queue_entries(connection, wanted, query.sort.value, place, EXPORT_BATCH)
        yield [row_of(entry) for entry in entries]
        if len(entries) < EXPORT_BATCH:
            return
        place = Place(_read_key(query, entries[-1].key))


def csv_chunks(batches: Iterator[list[QueueRow]]) -> Iterator[bytes]:
    """The rows as CSV in UTF-8 with a byte order mark, for spreadsheets; the header line comes first."""
    head = "\ufeff".encode() + _csv([list(QueueRow.model_fields)])
    for rows in batches:
        yield head + _csv([[_cell(value) for value in row.model_dump(mode="json").values()] for row in rows])
        head = b""


def json_chunks(batches: Iterator[list[QueueRow]]) -> Iterator[bytes]:
    """The rows as one JSON array."""
    separator = b"[\n"
    for rows in batches:
        for row in rows:
            yield separator + row.model_dump_json().encode()
            separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def row_of(entry: QueueEntry) -> QueueRow:
    """An entry as it is shown; what the metadata has no sense in is shown as absent."""
    return QueueRow(
        id=entry.id,
        username=entry.username,
        state=QueueState(entry.state),
        name_en=entry.name_en,
        name_ko=entry.name_ko,
        type=entry.type,
        role=entry.role,
        region=entry.region,
        cohort=shown_cohort(entry.cohort),
        posts=entry.posts,
        confidence=share(entry.confidence),
        reasons=list(entry.reasons),
        attempts=whole(entry.attempts),
        last_error=entry.last_error,
        next_attempt_at=instant(entry.next_attempt),
        created_at=entry.created_at,
        updated_at=entry.updated_at,
    )


def share(value: object) -> float | None:
    """A number from 0 to 1, or None."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if usable else None  # type: ignore[arg-type]


def whole(value: object) -> int:
    """A count, or 0."""
    return value if type(value) is int and 0 <= value < 2**31 else 0


def instant(value: object) -> datetime | None:
    """An ISO 8601 text as an instant, or None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def shown_cohort(cohort: date) -> date:
    """The partition that a cohort belongs to: the first stands for all days before it."""
    return min(max(cohort, FIRST_DAY), last_day(datetime.now(UTC)))


def _reasons(counted: dict[str, int]) -> list[Count]:
    known = set(HoldReason)
    return [
        Count(value=reason, accounts=count, meaning=HoldReason(reason).sentence if reason in known else None)
        for reason, count in counted.items()
    ]


def _filter(query: QueueQuery) -> QueueFilter:
    search = "".join(c for c in query.search or "" if c.isprintable()).strip()
    handle = search.lstrip("@").lower()
    return QueueFilter(
        state=query.state,
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


def _fingerprint(query: QueueQuery) -> str:
    what = query.model_dump_json(exclude={"cursor", "limit"})
    return hashlib.sha256(what.encode()).hexdigest()[:12]


def _cursor(query: QueueQuery, key: Any, *, backwards: bool) -> str:
    stored = [_fingerprint(query), int(backwards), *key]
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(query: QueueQuery) -> Place | None:
    if query.cursor is None:
        return None
    try:
        padded = query.cursor + "=" * (-len(query.cursor) % 4)
        stored = json.loads(base64.b64decode(padded.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _bad_cursor() from None
    if not isinstance(stored, list) or stored[:1] != [_fingerprint(query)] or stored[1:2] not in ([0], [1]):
        raise _bad_cursor()
    return Place(_read_key(query, stored[2:]), backwards=stored[1] == 1)


def _read_key(query: QueueQuery, values: list[Any]) -> list[Any]:
    kinds = key_types(query.sort.value)
    if len(values) != len(kinds):
        raise _bad_cursor()
    try:
        return [_READ[kind](value) for kind, value in zip(kinds, values, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _bad_cursor() from None


def _read_int(value: Any) -> int:
    if type(value) is not int or not -_MOST_POSTS <= value <= 0:
        raise ValueError
    return value


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200 or "\x00" in value:
        raise ValueError
    value.encode()
    return value


_READ = {
    "int": _read_int,
    "text": _read_text,
    "uuid": lambda value: UUID(_read_text(value)),
    "timestamptz": lambda value: datetime.fromisoformat(_read_text(value)).astimezone(UTC),
}


def _bad_cursor() -> InputRejected:
    return InputRejected("This cursor is not of this list: go to its first page and on from there.")


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A spreadsheet runs what begins like a formula; an apostrophe makes it a text."""
    text = " ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.lstrip().startswith(_FORMULA) else text


_FORMULA = ("=", "+", "-", "@", "|", "＝", "＋", "－", "＠")
