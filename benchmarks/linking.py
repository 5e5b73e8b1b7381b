"""Accounts per second that `catalog_links` decides beside 10,000, 100,000 and 1,000,000 entities, and what it costs.

    .venv/bin/python benchmarks/linking.py [--short] [--accounts 10000]

Starts its own PostgreSQL, durable as in production, and runs the real `linking_job` in this process. A relay
between the two counts round trips, and simulates a database 5 ms away. The accounts are not all alike: half
create an entity, some join one, some wait for an account of the same run, and some are held.
"""

import argparse
import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
from machine import described
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

SIZES, ACCOUNTS = (10_000, 100_000, 1_000_000), 10_000
SHORT_SIZES, SHORT_ACCOUNTS = (1_000, 10_000, 100_000), 500
FAR_MS, FAR_ACCOUNTS = 5.0, 300

# Seven entities of ten have an account; the other three are there to be linked. Foreign keys and triggers are off
# meanwhile, for entities and accounts point at each other.
_CATALOG = """
set session_replication_role = replica;
create temp table made as
select n, md5('entity' || n)::uuid as id, case when n % 10 < 7 then md5('account' || n)::uuid end as account,
  'House of ' || md5('name' || n) as name_en, case when n % 2 = 0 then '메이드업 ' || n end as name_ko,
  case when n % 20 < 9 then 'brand' when n % 20 < 18 then 'artist' else 'group' end as type
from generate_series({first}, {last}) n;
insert into brands (id, name_en, name_ko, primary_instagram_account_id)
  select id, name_en, name_ko, account from made where type = 'brand';
insert into artists (id, name_en, name_ko, primary_instagram_account_id)
  select id, name_en, name_ko, account from made where type = 'artist';
insert into groups (id, name_en, name_ko, primary_instagram_account_id)
  select id, name_en, name_ko, account from made where type = 'group';
insert into instagram_accounts (id, username, account_type, entity_ig_role, brand_id, artist_id, group_id, metadata)
  select account, 'known_' || n, type, 'primary', case when type = 'brand' then id end,
    case when type = 'artist' then id end, case when type = 'group' then id end,
    jsonb_build_object('entity_enrichment', jsonb_build_object('cohort', '{cohort}',
      'tagging', jsonb_build_object('posts', n % 50),
      'gemini_review', jsonb_build_object('status', 'reviewed', 'reviewed_at', '2026-10-01T00:00:00+00:00',
        'review', jsonb_build_object('name_en', name_en, 'name_ko', name_ko, 'account_type', type)),
      'catalog_link', jsonb_build_object('status', 'created', 'reviewed_at', '2026-10-01T00:00:00+00:00')))
  from made where account is not null;
insert into admin_audit_log (created_at, admin_user_id, action, target_table, target_id, after_state, metadata)
  select now() - interval '90 days', 'e7717000-0000-4000-8000-0000e4717195', 'entity_enrichment.created', type || 's',
    id, jsonb_build_object('name_en', name_en), jsonb_build_object('pipeline', 'entity_enrichment', 'run_id', 'older')
  from made where account is not null;
drop table made;
set session_replication_role = origin;
"""

# By k % 20: 0 to 9 make an entity, 10 to 12 have the name of one without an account, 13 to 15 belong to one that has,
# 16 belongs to an account of this run that comes later, 17 is unsure, 18 and 19 are no artist, brand or group.
_REVIEWED = """
insert into instagram_accounts (username, metadata)
select '{run}_' || k, jsonb_build_object('entity_enrichment', jsonb_build_object('cohort', '{cohort}',
  'tagging', jsonb_build_object('posts', case when kind = 16 then 1000000 else 500000 - k end),
  'profile_backfill', jsonb_build_object('status', 'found', 'outcome', 'found', 'attempts', 1, 'fields_written',
    jsonb_build_object('bio', md5(k::text)), 'image', jsonb_build_object('url', 'https://pictures.example/' || k,
    'sha256', md5('image' || k) || md5('image' || k))),
  'gemini_review', jsonb_build_object('status', 'reviewed', 'raw_confidence', sure, 'confidence', sure,
    'grounded', true, 'chunks', 3, 'model', 'gemini-2.5-flash', 'attempts', 1, 'usage_event_id', gen_random_uuid(),
    'reviewed_at', '2026-11-01T00:00:00+00:00', 'search_queries', jsonb_build_array('{run} ' || k),
    'evidence', (select jsonb_agg(jsonb_build_object('claim', prose, 'chunk', c, 'names_account', true,
      'uri', 'https://source.example/' || k || c, 'title', 'A source')) from generate_series(0, 2) c),
    'review', jsonb_build_object('account_type', case when kind >= 18 then 'other' else type end,
      'account_role', case when kind between 13 and 16 then 'secondary' else 'primary' end,
      'name_en', case when kind between 10 and 15 then 'HOUSE OF ' || upper(md5('name' || n))
        when kind = 16 then 'House of {run} ' || k - 16 else 'House of {run} ' || k end,
      'primary_username', case when kind between 13 and 15 then 'known_' || n
        when kind = 16 then '{run}_' || k - 16 end,
      'confidence', sure, 'field_confidence', jsonb_build_object('account_type', sure, 'name_en', sure),
      'reasoning', prose))))
from (
  select k, k % 20 as kind, n, case when k % 20 = 17 then 0.5 else 0.97 end as sure,
    case when n % 20 < 9 then 'brand' when n % 20 < 18 then 'artist' else 'group' end as type,
    'House number ' || k || ' is the account of a designer label that shows its collections in Seoul and Paris. '
      || 'It was founded by two graduates of a school of arts, sells through its own shop and department stores, and '
      || 'posts lookbooks, fittings and campaigns with models and musicians; several newspapers have written of it.'
      as prose
  from (
    select k, case when k % 20 between 10 and 12 then (k::bigint * 7919 % ({entities} / 10))::int * 10 + 7 + k % 3
      when k % 20 between 13 and 15 then (k::bigint * 7919 % ({entities} / 10))::int * 10 + k % 7
      when k % 20 = 16 then k - 16 else k end as n
    from generate_series(0, {accounts} - 1) k
  ) chosen
) accounts
"""
_DECISIONS = """
select metadata #>> '{entity_enrichment,catalog_link,status}', count(*) from instagram_accounts
where metadata #>> '{entity_enrichment,cohort}' = %s group by 1 order by 2 desc
"""


@dataclass
class Relay:
    """Relays connections of PostgreSQL, delays a round trip by `delay_ms`, and counts turns from client to server."""

    target: str
    delay_ms: float = 0.0
    round_trips: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @contextmanager
    def running(self) -> Iterator[str]:
        """The address to use in place of `target`."""
        server = self._loop.run_until_complete(asyncio.start_server(self._pass, "127.0.0.1", 0))
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            real, own = urlsplit(self.target).port, server.sockets[0].getsockname()[1]
            yield self.target.replace(f":{real}/", f":{own}/")
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.target)
        upstream = await asyncio.open_connection(address.hostname, address.port)
        turn = ["server"]
        await asyncio.gather(
            self._copy(reader, upstream[1], turn, "client"), self._copy(upstream[0], writer, turn, "server")
        )

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, turn: list[str], side: str
    ) -> None:
        with suppress(ConnectionError):  # PostgreSQL hangs up at once on who says goodbye
            while data := await source.read(65_536):
                if turn[0] != side and side == "client":
                    self.round_trips += 1
                turn[0] = side
                if self.delay_ms:
                    await asyncio.sleep(self.delay_ms / 2_000)
                sink.write(data)
        sink.close()


@dataclass(frozen=True)
class Measured:
    """Run `linking_job` over one cohort."""

    entities: int
    accounts: int
    seconds: float
    round_trips: int
    decisions: str

    @property
    def a_second(self) -> float:
        return self.accounts / self.seconds


def link(
    postgres: EmbeddedPostgres, entities: int, accounts: int, cohort: date, delay_ms: float = 0.0
) -> Measured:
    """Add reviewed accounts as a cohort, and link them."""
    with _operation(postgres) as connection:
        _run(
            connection, _REVIEWED, run=f"run{cohort:%j}", cohort=cohort, entities=entities, accounts=accounts
        )
        connection.execute("vacuum analyze instagram_accounts")
    relay = Relay(postgres.url("operation"), delay_ms)
    with relay.running() as url, dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions({"operation_db": PostgresResource(url=url)}).resolve_job_def("linking_job")
        began = time.perf_counter()
        job.execute_in_process(
            instance=instance,
            partition_key=cohort.isoformat(),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        seconds = time.perf_counter() - began
    with _operation(postgres) as connection:
        decided = connection.execute(_DECISIONS, [cohort.isoformat()]).fetchall()
    said = ", ".join(f"{count:,} {status or 'undecided'}" for status, count in decided)
    return Measured(entities, accounts, seconds, relay.round_trips, said)


def prepare(postgres: EmbeddedPostgres) -> None:
    """Both databases, with the pipeline switched on, named in the environment for the job."""
    urls = {name: postgres.url(name) for name in ("assets", "operation")}
    os.environ.update({f"{name.upper()}_DATABASE_URL": url for name, url in urls.items()})
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    migrations.migrate(urls["assets"], urls["operation"])
    with psycopg.connect(urls["assets"], autocommit=True) as connection:
        connection.execute("update pipeline_settings set is_enabled = true")


def grow(postgres: EmbeddedPostgres, first: int, last: int) -> None:
    """Insert entities `first` to `last`, seven of ten with a linked account."""
    with _operation(postgres) as connection:
        for begin in range(first, last + 1, 100_000):
            _run(connection, _CATALOG, first=begin, last=min(begin + 99_999, last), cohort=FIRST_DAY)
        connection.execute("vacuum analyze")


def _operation(postgres: EmbeddedPostgres) -> psycopg.Connection[Any]:
    return psycopg.connect(postgres.url("operation"), autocommit=True, prepare_threshold=None)


def _run(connection: psycopg.Connection[Any], text: str, **values: object) -> None:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    connection.execute(text.encode())


def _row(measured: Measured, first: Measured) -> list[str]:
    return [
        f"{measured.entities:,}",
        f"{measured.accounts:,}",
        f"{measured.seconds:.1f}",
        f"{measured.a_second:.0f}",
        f"{measured.seconds / measured.accounts / (first.seconds / first.accounts):.2f}",
        f"{measured.round_trips / measured.accounts:.1f}",
    ]


def main(sizes: tuple[int, ...], accounts: int, folder: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(described())
    postgres = EmbeddedPostgres(folder, databases=("assets", "operation"))
    with SharedServers(folder, [postgres]):
        prepare(postgres)
        found: list[Measured] = []
        for size in sizes:
            began = time.perf_counter()
            grow(postgres, found[-1].entities + 1 if found else 1, size)
            console.print(f"{size:,} entities made in {time.perf_counter() - began:.0f} s")
            found.append(link(postgres, size, accounts, FIRST_DAY + timedelta(days=len(found) + 1)))
            console.print(f"  {found[-1].decisions}")
        far = link(postgres, sizes[-1], FAR_ACCOUNTS, FIRST_DAY + timedelta(days=len(sizes) + 1), FAR_MS)
    table = Table("entities", "accounts", "s", "accounts/s", "time an account", "round trips an account")
    for measured in found:
        table.add_row(*_row(measured, found[0]))
    console.print(table)
    console.print(f"{FAR_MS:.0f} ms away: {far.a_second:.0f} accounts/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Accounts per second that catalog_links decides.")
    parser.add_argument("--short", action="store_true", help="a tenth of the catalog, 500 accounts")
    parser.add_argument("--accounts", type=int, help="accounts in each catalog")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
        sizes, accounts = (SHORT_SIZES, SHORT_ACCOUNTS) if options.short else (SIZES, ACCOUNTS)
        main(sizes, options.accounts or accounts, Path(temporary) / "server")
