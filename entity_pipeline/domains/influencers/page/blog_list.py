"""The list of blogs: its pages and its counts, over `queries/blogs.py`."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.admin.cursors import UnknownCursor, cut, fingerprint, pack_cursor, unpack_cursor
from entity_pipeline.domains.influencers.models import ScrapeStatus
from entity_pipeline.domains.influencers.page.list_values import (
    NONE,
    BlogCounts,
    BlogPage,
    BlogQuery,
)
from entity_pipeline.domains.influencers.page.queries.blogs import (
    ORDERS,
    BlogFilter,
    Entry,
    KeyType,
    blog_counts,
    blog_entries,
    category_ids,
    listed_blogs,
)

_NO_CATEGORY = -1  # no row has it
_MOST = 10**18


def blog_page(connection: Connection[Any], query: BlogQuery) -> BlogPage:
    """One page; a blog that is deleted meanwhile is left out.

    Raises:
        UnknownCursor: the cursor belongs to another query.
    """
    place = _place_of(query)
    filters = _filter_of(connection, query)
    found = blog_entries(connection, filters, query.sort.value, place, query.limit + 1)
    backwards = place is not None and place[1]
    entries, has_next, has_previous = cut(found, query.limit, is_first=place is None, backwards=backwards)
    if not entries:
        return BlogPage(rows=[], next_cursor=None, previous_cursor=None)
    return BlogPage(
        rows=listed_blogs(connection, [entry.id for entry in entries]),
        next_cursor=_cursor_of(query, entries[-1], backwards=False) if has_next else None,
        previous_cursor=_cursor_of(query, entries[0], backwards=True) if has_previous else None,
    )


def read_blog_counts(connection: Connection[Any]) -> BlogCounts:
    """The counts over all blogs."""
    statuses, categories, sources = blog_counts(connection)
    return BlogCounts(
        total=sum(statuses.values()),
        statuses={status: statuses.get(status, 0) for status in ScrapeStatus},
        categories=categories,
        sources=sources,
    )


def _filter_of(connection: Connection[Any], query: BlogQuery) -> BlogFilter:
    search = "".join(letter for letter in query.search or "" if letter.isprintable()).strip()
    category = None
    if query.category == NONE:
        category = 0
    elif query.category is not None:
        category = category_ids(connection).get(query.category, _NO_CATEGORY)
    return BlogFilter(
        status=query.status,
        category=category,
        source=query.source,
        search=search.removeprefix("@").lower() or None,
    )


def _cursor_of(query: BlogQuery, entry: Entry, *, backwards: bool) -> str:
    return pack_cursor(fingerprint(query), [entry.key, entry.id], backwards=backwards)


def _place_of(query: BlogQuery) -> tuple[Entry, bool] | None:
    if query.cursor is None:
        return None
    values, backwards = unpack_cursor(query.cursor, fingerprint(query))
    try:
        key, blog_id = values
        return Entry(_READ[ORDERS[query.sort.value][1]](key), UUID(blog_id)), backwards
    except (ValueError, TypeError, AttributeError, OverflowError, InvalidOperation):
        raise UnknownCursor from None


def _number(key: Any) -> Decimal:
    found = Decimal(key)
    if not found.is_finite() or abs(found) > _MOST:
        raise ValueError
    return found


def _whole(key: Any) -> int:
    if type(key) is not int or abs(key) > _MOST:
        raise ValueError
    return key


_READ: Mapping[KeyType, Callable[[Any], Any]] = {
    "bigint": _whole,
    "numeric": _number,
    "timestamptz": lambda key: datetime.fromisoformat(key).astimezone(UTC),
}
