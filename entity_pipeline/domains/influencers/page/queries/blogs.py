"""The list of blogs: a page of it, and its counts.

Filters and orders read only the index `blogs_listed`, so the columns of the page's rows are looked up afterwards. All
orders are descending by one value, with the id where two are equal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import class_row

from entity_pipeline.domains.influencers.page.list_values import BlogRow

KeyType = Literal["bigint", "numeric", "timestamptz"]
_FOLLOWERS = "coalesce(follower_count, -1)"
# Each order and its type; whole numbers and times are compared faster than numerics.
ORDERS: Mapping[str, tuple[str, KeyType]] = {
    "followers": (_FOLLOWERS, "bigint"),
    "er": ("coalesce(er, -1)", "numeric"),
    "er_reels": ("coalesce(er_reels, -1)", "numeric"),
    "trend": (
        f"(case er_trend when 'growing' then 3 when 'stable' then 2 when 'declining' then 1 else 0 end)::bigint "
        f"* 1000000000000 + {_FOLLOWERS}",
        "bigint",
    ),
    "posts_per_week": ("coalesce(posts_per_week, -1)", "numeric"),
    "newest": ("created_at", "timestamptz"),
    "scraped": ("coalesce(scraped_at, 'epoch')", "timestamptz"),
}

_PAGE = """
select {order} as key, id from blogs b
where {conditions}
order by 1 {direction}, 2 {direction} limit %(limit)s
"""
_IN_CATEGORY = (
    "exists (select from blog_categories c where c.blog_id = b.id and c.category_id = %(category)s)"
)
_IN_NONE = "not exists (select from blog_categories c where c.blog_id = b.id)"

_ROWS = """
select b.id, username, full_name, scrape_status as status, follower_count as followers, er, er_reels,
  er_trend as trend, posts_per_week, source, scraped_at,
  array(select c.code from blog_categories bc join categories c on c.id = bc.category_id
    where bc.blog_id = b.id order by bc.is_primary desc, c.code) as categories
from unnest(%s::uuid[]) with ordinality as listed(id, nth) join blogs b on b.id = listed.id order by nth
"""

# By state and by source in one scan.
_COUNTS = """
select scrape_status, source, count(*)::int from blogs group by grouping sets ((scrape_status), (source))
"""
_CATEGORIES = """
select c.code, counted.blogs from (
  select category_id, count(*)::int as blogs from blog_categories group by 1
) counted join categories c on c.id = counted.category_id order by 2 desc, 1
"""
_MOST_SOURCES = 50


class Entry(NamedTuple):
    """A blog of a page and its sort value, whose type is that of the order."""

    key: Any
    id: UUID


@dataclass(frozen=True, slots=True)
class BlogFilter:
    """What a list shows. `search` is in lower case; `category` is an id, 0 stands for blogs without one."""

    status: str | None = None
    category: int | None = None
    source: str | None = None
    search: str | None = None


def blog_entries(
    connection: Connection[Any],
    filters: BlogFilter,
    order: str,
    place: tuple[Entry, bool] | None,
    limit: int,
) -> list[Entry]:
    """Up to `limit` blogs after the place, or before it where its second part is true; always in the list's order."""
    backwards = place is not None and place[1]
    expression, kind = ORDERS[order]
    conditions, values = _conditions(filters)
    if place is not None:
        sign = sql.SQL(">" if backwards else "<")
        conditions.append(
            sql.SQL("({order}, id) {sign} (%(key)s::{kind}, %(after)s)").format(
                order=sql.SQL(expression), sign=sign, kind=sql.SQL(kind)
            )
        )
        values |= {"key": place[0].key, "after": place[0].id}
    query = sql.SQL(_PAGE).format(
        order=sql.SQL(expression),
        conditions=sql.SQL(" and ").join(conditions) if conditions else sql.SQL("true"),
        direction=sql.SQL("asc" if backwards else "desc"),
    )
    found = [Entry(*row) for row in connection.execute(query, values | {"limit": limit})]
    return found[::-1] if backwards else found


def listed_blogs(connection: Connection[Any], ids: Sequence[UUID]) -> list[BlogRow]:
    """The rows of these blogs in this order, without those that are gone."""
    return list(connection.cursor(row_factory=class_row(BlogRow)).execute(_ROWS, [list(ids)]))


def category_ids(connection: Connection[Any]) -> dict[str, int]:
    """The id of each category by its code."""
    return dict(connection.execute("select code, id from categories order by name").fetchall())


def category_names(connection: Connection[Any]) -> dict[str, str]:
    """The name of each category by its code, in the order of names."""
    return dict(connection.execute("select code, name from categories order by name").fetchall())


def blog_counts(connection: Connection[Any]) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Blogs by state, by category and by source."""
    rows = connection.execute(_COUNTS).fetchall()
    by_status = {status: blogs for status, _, blogs in rows if status is not None}
    by_source = sorted(((source, blogs) for _, source, blogs in rows if source is not None), key=_most_first)
    by_category = dict(connection.execute(_CATEGORIES).fetchall())
    return by_status, by_category, dict(by_source[:_MOST_SOURCES])


def _most_first(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]


def _conditions(filters: BlogFilter) -> tuple[list[sql.SQL | sql.Composed], dict[str, Any]]:
    found: list[sql.SQL | sql.Composed] = []
    values: dict[str, Any] = {}
    if filters.status is not None:
        found.append(sql.SQL("scrape_status = %(status)s"))
        values["status"] = filters.status
    if filters.source is not None:
        found.append(sql.SQL("source = %(source)s"))
        values["source"] = filters.source
    if filters.search is not None:
        found.append(sql.SQL("strpos(search_text, %(search)s) > 0"))
        values["search"] = filters.search
    if filters.category is not None:
        found.append(sql.SQL(_IN_CATEGORY if filters.category else _IN_NONE))
        values["category"] = filters.category
    return found, values
