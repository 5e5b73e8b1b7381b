"""Milliseconds of the queue's first, deep and previous pages at 1,000,000 accounts, over filters and orders.

    .venv/bin/python benchmarks/admin_queue.py [ACCOUNTS] [--keep FOLDER]

Starts a PostgreSQL of its own, and makes accounts whose metadata is as long as real ones (some minutes). With
--keep the folder stays and is used again. Surprising: the hardest questions are those whose filters are common
each and never true together, since nothing rare leads to the answer.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.admin.figures import QueueQuery, QueueSort
from entity_pipeline.admin.queue import queue_counts, queue_page
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

LIMIT_MS = 150.0
DEEP_PAGES = 5
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "state, common": {"state": "pending"},
    "state, rare": {"state": "undone"},
    "state held": {"state": "held"},
    "type, common": {"type": "brand"},
    "type, rare": {"type": "unknown"},
    "role, rare": {"role": "regional"},
    "region": {"region": "JP"},
    "region none": {"region": "none"},
    "reason, common": {"reason": "type_other"},
    "reason, rare": {"reason": "country_is_namibia"},
    "cohort": {"cohort": "2026-11-01"},
    "search, one letter": {"search": "a"},
    "search, rare": {"search": "account_12345"},
    "search, name": {"search": "Name 777"},
    "search, nothing": {"search": "zzzz"},
    "held brands of Japan": {"state": "held", "type": "brand", "region": "JP"},
    "created, secondary (none)": {"state": "created", "role": "secondary"},
    "linked and other (none)": {"state": "linked", "type": "other"},
    "regional without region (none)": {"role": "regional", "region": "none"},
    "held artists with a letter": {"state": "held", "type": "artist", "search": "b"},
}

# The most-tagged are reviewed first, so what waits is at the end of the default order.
_ACCOUNTS = """
insert into instagram_accounts (username, name_en, account_type, entity_ig_role, is_active, created_at, metadata)
select case when n %% 26 = 0 then 'a' else chr(98 + n %% 25) end || '_account_' || n,
  case when decided then 'Name ' || n end,
  case when decided then type end, case when decided then role end, n %% 211 <> 0,
  timestamptz '2026-10-01' + (n::bigint * 7919 %% 4320000) * interval '1 second',
  jsonb_build_object('entity_enrichment', jsonb_build_object(
    'cohort', (date '2026-10-01' + (n::bigint * 7919 %% 4320000)::int / 86400)::text,
    'tagging', jsonb_build_object('posts', greatest(1, (30000 / n)::int + (n %% 7)), 'sample_posts', '[]'::jsonb)
  ) || case when n > reviewed then '{}' else jsonb_build_object(
    'gemini_review', jsonb_build_object('status', case when n %% 97 = 0 then 'failed' else 'reviewed' end,
      'review', jsonb_build_object('name_en', 'Name ' || n, 'account_type', type, 'account_role', role,
        'entity_region_code', region, 'reasoning', filler),
      'evidence', jsonb_build_array(jsonb_build_object('claim', filler || n, 'uri', 'https://example.org/' || n)),
      'confidence', 0.9, 'attempts', 1, 'reviewed_at', '2026-11-01T00:00:00+00:00',
      'error', case when n %% 97 = 0 then jsonb_build_object('reason', 'unreadable', 'detail', 'x') end),
    'catalog_link', jsonb_build_object('status', state, 'reviewed_at', '2026-11-01T00:00:00+00:00',
      'reasons', case when state = 'held' then jsonb_build_array(case
        when n %% 50000 = 3 then 'country_is_namibia'
        when type = 'other' then 'type_other' else 'below_threshold' end) else '[]'::jsonb end))
  end)
from (
  select n, reviewed, filler, n <= reviewed and state in ('created', 'linked', 'attached') as decided, type, state,
    case when state <> 'attached' then 'primary' when n %% 3 = 0 then 'regional' else 'secondary' end as role,
    case when state = 'attached' and n %% 3 = 0 then (array['JP', 'KR', 'US', 'FR'])[1 + n %% 4]
      when n %% 500 = 1 then 'JP' end as region
  from (
    select n, %(reviewed)s::int as reviewed,
      (select string_agg(md5(n::text || k), ' ') from generate_series(1, 40) k) as filler,
      case when n %% 10 in (0, 1, 2) and n %% 3 = 0 then 'other' when n %% 10 < 6 then 'brand'
        when n %% 10 < 9 then 'artist'
        when n %% 1000 = 9 then 'unknown' else 'group' end as type,
      case when n %% 10 in (0, 1, 2) then 'held' when n %% 5001 = 8 then 'undone' when n %% 10 in (3, 4) then 'attached'
        when n %% 10 = 5 then 'linked' else 'created' end as state
    from generate_series(%(first)s::int, %(last)s::int) n
  ) kinds
) accounts
"""


def fill(connection: psycopg.Connection[Any], accounts: int) -> float:
    """Make the accounts; returns seconds."""
    began = time.perf_counter()
    for first in range(1, accounts + 1, 20_000):
        last = min(first + 19_999, accounts)
        values = {"first": first, "last": last, "reviewed": accounts * 6 // 10}
        connection.execute(_ACCOUNTS, values)
    connection.execute("vacuum analyze instagram_accounts")
    connection.execute("vacuum analyze enrichment_queue")
    return time.perf_counter() - began


def timed(action: Callable[[], Any], times: int = 5) -> tuple[float, Any]:
    """Median milliseconds of some calls, the first of which is not counted, and what it returned."""
    result = action()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        result = action()
        taken.append((time.perf_counter() - began) * 1_000)
    return median(taken), result


def deep(connection: psycopg.Connection[Any], query: QueueQuery) -> QueueQuery | None:
    """The query of the last page before DEEP_PAGES, each of the largest size."""
    at = query.model_copy(update={"limit": 200})
    for _ in range(DEEP_PAGES):
        page = queue_page(connection, at)
        if page.next_cursor is None:
            break
        at = at.model_copy(update={"cursor": page.next_cursor})
    return query.model_copy(update={"cursor": at.cursor}) if at.cursor else None


def measure(connection: psycopg.Connection[Any], console: Console) -> float:
    """Print the table; returns the slowest page in ms."""
    empty_ms, _ = timed(lambda: queue_page(connection, QueueQuery(search="zzzz")), 15)
    table = Table(
        "filter", "order", "rows", "first", "deep", "previous", title=f"ms; an empty page: {empty_ms:.1f}"
    )
    slowest = 0.0
    for (name, filters), order in product(FILTERS.items(), QueueSort):
        query = QueueQuery.model_validate({**filters, "sort": order})
        first_ms, page = timed(lambda query=query: queue_page(connection, query))  # type: ignore[misc]
        row = [first_ms]
        if (far := deep(connection, query)) is not None:
            far_ms, far_page = timed(lambda far=far: queue_page(connection, far))  # type: ignore[misc]
            back = query.model_copy(update={"cursor": far_page.previous_cursor})
            row += [far_ms, timed(lambda back=back: queue_page(connection, back))[0]]  # type: ignore[misc]
        slowest = max(slowest, *row)
        marked = [f"{ms:.1f}{' !' if ms > LIMIT_MS else ''}" for ms in row] + [""] * (3 - len(row))
        table.add_row(name, order.value, str(len(page.rows)), *marked)
    console.print(table)
    counts_ms, _ = timed(lambda: queue_counts(connection), 3)
    console.print(
        f"slowest page {slowest:.1f} ms, {slowest / empty_ms:.1f} times an empty one; counts {counts_ms:.0f} ms"
    )
    return slowest


def main(accounts: int, folder: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    postgres = EmbeddedPostgres(folder, databases=("assets", "operation"))
    with SharedServers(folder, [postgres]):
        migrations.migrate(postgres.url("assets"), postgres.url("operation"))
        with psycopg.connect(
            postgres.url("operation"), autocommit=True, prepare_threshold=None
        ) as connection:
            there = connection.execute("select count(*) from enrichment_queue").fetchone()
            if there is None or not there[0]:
                console.print(f"{accounts:,} accounts made in {fill(connection, accounts):.0f} s")
            slowest = measure(connection, console)
    if slowest > LIMIT_MS:
        raise SystemExit(f"A page took more than {LIMIT_MS:.0f} ms.")


if __name__ == "__main__":
    keep = Path(sys.argv[sys.argv.index("--keep") + 1]) if "--keep" in sys.argv else None
    count = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdecimal() else 1_000_000
    if keep is not None:
        main(count, keep)
    else:
        with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
            main(count, Path(temporary) / "server")
