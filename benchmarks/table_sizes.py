"""Bytes per row of every growing table, heap, TOAST and indexes apart; and rows of Dagster's event log per run.

    .venv/bin/python benchmarks/table_sizes.py [--dir .sandbox] [--rows 30000]

Needs a sandbox in which `make demo` has run: its rows are copied, each under new keys, into tables of the same
columns and indexes, all in a transaction that is rolled back. Only rows that are written once are
measured; an account is written about five times, and what its table then takes is shown beside it.
"""

import argparse
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.sandbox.environment import Sandbox

_NEW_ID = "'id', gen_random_uuid()"
_CATALOG = f"{_NEW_ID}, 'name_en', t.name_en || '_' || k, 'primary_instagram_account_id', gen_random_uuid()"
# By database and table: the columns of a copied row that are new. `t` is the row, `k` counts its copies from 0.
TABLES = {
    "assets": {
        "raw_posts": f"{_NEW_ID}, 'external_id', t.external_id || '_' || k, "
        "'created_at', t.created_at + k * interval '1 hour'",
        "tagged_usernames": "'day', t.day + 7 * k",
        "gemini_usage_events": f"{_NEW_ID}, 'subject', t.subject || '_' || k, 'quota_day', t.quota_day + k, "
        "'created_at', t.created_at + k * interval '1 day'",
        "instagram_request_log": f"{_NEW_ID}, 'requested_at', t.requested_at + k * interval '1 hour'",
        "enrichment_queue": "'account_id', gen_random_uuid(), 'handle', t.handle || '_' || k",
    },
    "operation": {
        "instagram_accounts": f"{_NEW_ID}, 'username', t.username || '_' || k, 'artist_id', null, 'group_id', null, "
        "'brand_id', case when t.brand_id is not null then gen_random_uuid() end",
        "brands": _CATALOG,
        "artists": _CATALOG,
        "admin_audit_log": f"{_NEW_ID}, 'target_id', gen_random_uuid(), "
        "'created_at', t.created_at + k * interval '1 hour'",
    },
}
_COPY = """
insert into sizes.{table} select (jsonb_populate_record(t, jsonb_build_object({new}))).*
from generate_series(0, {copies} - 1) k, public.{table} t
"""
_SIZES = """
select count(*), pg_relation_size('{schema}.{table}'),
  pg_table_size('{schema}.{table}') - pg_relation_size('{schema}.{table}'), pg_indexes_size('{schema}.{table}')
from {schema}.{table}
"""
_EVENTS = """
select r.pipeline_name, coalesce(t.days, 1), e.events, e.bytes from runs r
join (select run_id, count(*) as events, sum(length(event)) as bytes from event_logs group by 1) e using (run_id)
left join (select run_id, max(value::date) - min(value::date) + 1 as days from run_tags
  where key like 'dagster/asset_partition_range_%' group by 1) t using (run_id)
order by 1, 2
"""


def sizes(connection: psycopg.Connection[Any], schema: str, table: str) -> tuple[int, list[float]]:
    """Rows, and bytes per row of heap, TOAST (and maps), indexes."""
    query = sql.SQL(_SIZES.format(schema=schema, table=table))  # names of this file
    rows, *bytes_ = connection.execute(query).fetchone() or (0,)
    return rows, [size / max(rows, 1) for size in bytes_]


def copied(connection: psycopg.Connection[Any], table: str, new: str, rows: int) -> tuple[int, list[float]]:
    """The same for a fresh copy of about so many rows, which is removed again."""
    there, _ = sizes(connection, "public", table)
    if not there:
        raise InputRejected(f"{table} is empty: run `make demo` in this sandbox first.")
    with connection.transaction(force_rollback=True):
        connection.execute("create schema sizes")
        connection.execute(
            sql.SQL(f"create table sizes.{table} (like public.{table} including all excluding comments)")
        )
        copies = max(rows // there, 1)
        connection.execute(sql.SQL(_COPY.format(table=table, new=new, copies=copies)))
        return sizes(connection, "sizes", table)


def main(folder: Path, rows: int) -> None:
    console = Console(highlight=False, width=140)
    table = Table(
        "table", "rows", "heap", "TOAST", "indexes", "bytes per row", "in the demo", title="bytes per row"
    )
    events = Table("job", "days in the run", "events", "KB of events", title="Dagster's event log, by run")
    with Sandbox(folder) as environment:
        for database, tables in TABLES.items():
            url = environment[f"{database.upper()}_DATABASE_URL"]
            with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
                for name, new in tables.items():
                    count, parts = copied(connection, name, new, rows)
                    _, demo = sizes(connection, "public", name)
                    shown = [f"{part:,.0f}" for part in (*parts, sum(parts), sum(demo))]
                    table.add_row(name, f"{count:,}", *shown)
        url = environment["DAGSTER_POSTGRES_URL"].replace("+psycopg2", "")
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            for job, days, count, size in connection.execute(_EVENTS):
                events.add_row(job, str(days), str(count), f"{size / 1000:.0f}")
            count, parts = sizes(connection, "public", "event_logs")
            table.add_row(
                "event_logs (Dagster)", f"{count:,}", *(f"{part:,.0f}" for part in (*parts, sum(parts)))
            )
    console.print(table, events)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Bytes per row, from a sandbox after make demo.")
    parser.add_argument("--dir", type=Path, default=Path(".sandbox"))
    parser.add_argument("--rows", type=int, default=30_000)
    options = parser.parse_args()
    main(options.dir, options.rows)
