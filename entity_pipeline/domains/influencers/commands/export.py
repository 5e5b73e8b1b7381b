"""`export`: the blogs with their measures and insights as a file, in the order of their usernames.

Batches of rows go out as they are read. The list is not a snapshot: a blog that is renamed meanwhile may be missing or
appear twice.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from psycopg.rows import dict_row

from entity_pipeline.cli.export_file import Form, form_of, opened
from entity_pipeline.cli.services import database
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.ports import Database
from entity_pipeline.core.text.csv_cells import BYTE_ORDER_MARK, cell_of, csv_bytes
from entity_pipeline.domains.influencers.models import PLATFORM

_BATCH = 1_000
_ROWS = """
select b.username, 'https://www.instagram.com/' || b.username || '/' as address, b.platform_id::text, b.full_name,
  b.biography, b.external_url, b.follower_count, b.following_count, b.media_count, b.is_verified, b.is_business,
  b.business_category, b.er, b.er_reels, b.er_trend, b.posts_per_week, b.scrape_status, b.scraped_at, b.source,
  b.created_at, b.updated_at, b.ai_confidence, b.ai_analyzed_at,
  array(select c.code from blog_categories bc join categories c on c.id = bc.category_id where bc.blog_id = b.id
        order by bc.is_primary desc, c.code) as categories,
  b.ai_insights
from blogs b
where b.platform = %(platform)s and b.username > %(after)s
  and (%(status)s::text is null or b.scrape_status = %(status)s)
  and (%(min_followers)s::bigint is null or b.follower_count >= %(min_followers)s)
  and (%(category)s::text is null or exists (
    select from blog_categories bc join categories c on c.id = bc.category_id
    where bc.blog_id = b.id and %(category)s in (c.code, lower(c.name))))
order by b.username limit %(most)s
"""
_CATEGORIES = "select code from categories order by code"


def export(file: Path | None, form: Form | None, filters: Mapping[str, Any]) -> None:
    """Write the blogs to `file`, or to standard output when it is None. `filters`: status, min_followers, category.

    Raises:
        InputRejected: there is no such category, or the file can't be written.
    """
    chosen = form or form_of(file)
    category = filters["category"]
    wanted = {**filters, "category": category.lower() if category is not None else None}
    with database("assets") as assets_db:
        if category is not None:
            _check_category(assets_db, category)
        rows = 0
        with opened(file) as out:
            head: bytes | None = BYTE_ORDER_MARK if file is not None else b""
            for columns, batch in _batches(assets_db, wanted):
                if chosen == "csv":
                    if head is not None:
                        out.write(head + csv_bytes([columns]))
                        head = None
                    out.write(csv_bytes([[cell_of(_cell(value)) for value in row.values()] for row in batch]))
                else:
                    out.write(b"".join(json.dumps(row, default=_plain).encode() + b"\n" for row in batch))
                rows += len(batch)
    click.echo(f"{rows:,} blogs written{f' to {file}' if file else ''}.", err=True)


def _batches(
    database: Database, filters: Mapping[str, Any]
) -> Iterator[tuple[Sequence[str], list[dict[str, Any]]]]:
    """The columns and rows of each batch; the last one may be empty."""
    after = ""
    while True:
        values = {**filters, "platform": PLATFORM, "after": after, "most": _BATCH}
        with database.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row).execute(_ROWS, values)
            rows = cursor.fetchall()
        yield [column.name for column in cursor.description or ()], rows
        if len(rows) < _BATCH:
            return
        after = rows[-1]["username"]


def _check_category(database: Database, category: str) -> None:
    with database.connection() as connection:
        known = [row[0] for row in connection.execute(_CATEGORIES)]
        named = connection.execute(
            "select from categories where %(c)s in (code, lower(name))", {"c": category.lower()}
        ).fetchone()
    if named is None:
        raise InputRejected(f"Nothing was exported: there is no category '{category}': {', '.join(known)}.")


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, list | str | int | bool) or value is None else str(_plain(value))


def _plain(value: Any) -> Any:
    """A value that JSON does not know."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
