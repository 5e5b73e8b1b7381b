"""A separate server with up to a million made-up accounts, whose metadata is as long as real ones.

For `admin_queue.py`, `metrics_scrape.py` and `export_accounts.py`: a folder that is kept serves all three.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from machine import described
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.domains.entities.accounts.enrichment_queue import compare, sweep
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

Measure = Callable[[EmbeddedPostgres, Console], None]

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
        when type = 'other' then 'account_unproven' else 'below_threshold' end) else '[]'::jsonb end))
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
    return time.perf_counter() - began


def listing(operation: psycopg.Connection[Any], assets: psycopg.Connection[Any], console: Console) -> None:
    """Fill the list of accounts, and print how long a first sweep, an idle one and a comparison take."""
    began = time.perf_counter()
    report = sweep(operation, assets, give_up_at=math.inf)
    console.print(f"sweep: {report.corrected:,} accounts listed in {time.perf_counter() - began:.1f} s")
    if report.corrected:
        assets.execute("vacuum analyze enrichment_queue")
    for follow in (sweep, compare):
        began = time.perf_counter()
        follow(operation, assets, give_up_at=math.inf)
        console.print(f"{follow.__name__}, nothing new: {time.perf_counter() - began:.2f} s")


def timed(action: Callable[[], Any], times: int = 5) -> tuple[float, Any]:
    """Median milliseconds of some calls, without the first one, and the value that it returned."""
    result = action()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        result = action()
        taken.append((time.perf_counter() - began) * 1_000)
    return median(taken), result


def run(what: str, measure: Measure, before: Measure = lambda _postgres, _console: None) -> None:
    """Read `[ACCOUNTS] [--keep FOLDER]`, start the server, make the accounts unless they are there, and measure.

    `before` is called only where the accounts are made, and before that.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("accounts", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    console.print(described())
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
        folder = options.keep or Path(temporary) / "server"
        postgres = EmbeddedPostgres(folder, databases=("assets", "operation"))
        with SharedServers(folder, [postgres]):
            migrations.migrate(postgres.url("assets"), postgres.url("operation"))
            with (
                psycopg.connect(postgres.url("operation"), autocommit=True) as connection,
                psycopg.connect(postgres.url("assets"), autocommit=True) as assets,
            ):
                if connection.execute("select exists (select from instagram_accounts)").fetchone() != (True,):
                    before(postgres, console)
                    seconds = fill(connection, options.accounts)
                    console.print(f"{options.accounts:,} accounts made in {seconds:.0f} s")
                listing(connection, assets, console)
            measure(postgres, console)
