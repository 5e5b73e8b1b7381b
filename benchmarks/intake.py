"""Posts per second of intake against its floor: COPY of the tag arrays out of the database and nothing else.

    .venv/bin/python benchmarks/intake.py [POSTS] [--days DAYS] [--short] [--assets] [--dlt] [--keep FOLDER]

Starts its own PostgreSQL and makes the posts (`intake_posts.py` describes their shape). Each way runs in a fresh
process, whose peak of memory is its own. `--assets` also runs the real assets through Dagster; `--dlt` compares
with dlt, which is not a dependency (`.venv/bin/pip install 'dlt[postgres]'`). Row by row is measured on a sample, and
the time for all rows is calculated from it. To see memory and time grow: `10000000 --days 300`. With two
processors the two halves of intake share them with the server, so other work on the machine counts double.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import intake_posts
import orjson
import psycopg
from machine import described
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.core.text.handles import Rejection, normalise_username
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep
from entity_pipeline.domains.entities.accounts.intake import take_in
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import recount_days
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

SAMPLE = 2_000
_FLOOR = "copy (select platform_metadata->'tagged_usernames' from raw_posts) to stdout"
_ROW = """
    insert into tagged_one_by_one (username, posts, first_seen_at, last_seen_at) values (%s, 1, %s, %s)
    on conflict (username) do update set posts = tagged_one_by_one.posts + 1,
        last_seen_at = greatest(tagged_one_by_one.last_seen_at, excluded.last_seen_at)
"""

_ROWS_ALONE = (
    (0, "tagged_usernames", "day, username"),
    (0, "enrichment_queue", "account_id"),
    (1, "instagram_accounts", "username"),
)


def _connect(url: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


def floor(urls: list[str], _: int, __: int) -> dict[str, Any]:
    """Read every tag array of the table and throw it away."""
    with _connect(urls[0]) as connection, connection.cursor().copy(_FLOOR.encode()) as copy:
        return {"posts": sum(1 for _ in copy)}


def functions(urls: list[str], _: int, days: int) -> dict[str, Any]:
    """`tagged_usernames` and `instagram_accounts` without Dagster around them."""
    first, last = intake_posts.START.date(), intake_posts.START.date() + timedelta(days=days - 1)
    with ExitStack() as open_:
        reader, writer, guard, *writers = (
            open_.enter_context(_connect(urls[nth])) for nth in (0, 0, 1, 1, 1)
        )
        began = time.perf_counter()
        counts = list(recount_days(reader, writer, first, last, first_partition=FIRST_DAY))
        tagged_s = time.perf_counter() - began
        brought = take_in(reader, writer, guard, writers, [day.day for day in counts], last)
        listed = sweep(writers[0], reader, give_up_at=math.inf)
    return {
        "posts": sum(day.posts for day in counts),
        "tagged_usernames, s": round(tagged_s, 2),
        "rows written": sum(day.rows.inserted + day.rows.updated + day.rows.deleted for day in counts),
        "accounts listed": listed.corrected,
        "accounts written": sum(day.inserted + day.updated for day in brought.values()),
    }


def rows_alone(urls: list[str], posts: int, __: int) -> dict[str, Any]:
    """Write the finished rows once more, into empty copies of their tables with the same keys, checks and indexes.

    Nothing is read from posts, counted, matched or triggered, and both databases work at the same time: what is left
    of the time whatever program does the rest.
    """

    def write(database: int) -> None:
        with _connect(urls[database]) as connection:
            for of, table, order in _ROWS_ALONE:
                if of == database:
                    connection.execute(f"create table copy_of_{table} (like {table} including all)")
                    connection.execute(f"insert into copy_of_{table} select * from {table} order by {order}")  # noqa: S608

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, (0, 1)))
    return {"posts": posts}


def assets(urls: list[str], _: int, days: int) -> dict[str, Any]:
    """Materialise the two assets through Dagster, in this process."""
    os.environ |= {"ASSETS_DATABASE_URL": urls[0], "OPERATION_DATABASE_URL": urls[1]}
    import dagster as dg

    from entity_pipeline.definitions import build_definitions
    from entity_pipeline.shared.runs.tags import range_tags

    first, last = intake_posts.START.date(), intake_posts.START.date() + timedelta(days=days - 1)
    with _connect(urls[0]) as connection:
        connection.execute(
            "update pipeline_settings set is_enabled = true where platform = 'entity_enrichment'"
        )
        count = connection.execute("select count(*) from raw_posts").fetchone()
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions().resolve_job_def("intake_job")
        result = job.execute_in_process(
            instance=instance,
            tags=range_tags(first.isoformat(), last.isoformat()),
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
    assert result.success
    return {"posts": count[0] if count else 0}


def row_by_row(urls: list[str], _: int, __: int) -> dict[str, Any]:
    """Take in the first posts of the table with one statement per tag."""
    with _connect(urls[0]) as connection, _connect(urls[1]) as operation:
        operation.execute(
            "create temp table tagged_one_by_one (username text primary key, posts integer, "
            "first_seen_at timestamptz, last_seen_at timestamptz)"
        )
        posts = connection.execute(
            "select created_at, (platform_metadata->'tagged_usernames')::text from raw_posts "
            "order by created_at limit %s",
            (SAMPLE,),
        ).fetchall()
        for at, tags in posts:
            for item in orjson.loads(tags):
                username = normalise_username(item)
                if not isinstance(username, Rejection):
                    operation.execute(_ROW, (username, at, at))
    return {"posts": len(posts)}


def dlt(urls: list[str], _: int, __: int) -> dict[str, Any]:
    """dlt's load of one table from dictionaries: the accounts with their counts, summed up in Python before."""
    import dlt as library

    seen: dict[str, int] = {}
    with _connect(urls[0]) as connection, connection.cursor().copy(_FLOOR.encode()) as copy:
        posts = 0
        for row in copy:
            posts += 1
            for item in orjson.loads(bytes(row).replace(b"\\\\", b"\\")):
                username = normalise_username(item)
                if not isinstance(username, Rejection):
                    seen[username] = seen.get(username, 0) + 1
    with tempfile.TemporaryDirectory() as folder:
        pipeline = library.pipeline(
            "bench",
            pipelines_dir=folder,
            dataset_name="dlt_bench",
            destination=library.destinations.postgres(urls[1]),
        )
        rows = ({"username": name, "posts": count} for name, count in seen.items())
        pipeline.run(rows, table_name="accounts", write_disposition="append")
    return {"posts": posts}


WAYS: dict[str, Callable[[list[str], int, int], dict[str, Any]]] = {
    way.__name__: way for way in (floor, functions, rows_alone, assets, row_by_row, dlt)
}


def _peak_mb() -> int:
    # Not getrusage: its peak begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def measured(way: str, urls: list[str], posts: int, days: int) -> dict[str, Any]:
    """Seconds, peak of memory and the way's own figures, from a separate process."""
    command = [sys.executable, __file__, str(posts), "--days", str(days), "--way", way, *urls]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _empty(urls: list[str]) -> None:
    for database, table, _ in _ROWS_ALONE:
        with _connect(urls[database]) as connection:
            connection.execute(f"truncate {table} cascade; drop table if exists copy_of_{table}")
    with _connect(urls[0]) as connection:
        connection.execute("truncate tagged_days, intake_days")
    with _connect(urls[1]) as connection:
        connection.execute("drop schema if exists dlt_bench cascade")
        connection.execute("checkpoint")


def compare(urls: list[str], posts: int, days: int, console: Console, *, others: list[str]) -> None:
    """Print the table; every ratio compares with the better of two floors of this run."""
    floors = [measured("floor", urls, posts, days) for _ in range(2)]
    best = min(floors, key=lambda one: one["seconds"])
    rows = [("floor: COPY out alone", best)]
    for name in ("functions", *(["assets"] if "assets" in others else [])):
        _empty(urls)
        rows += [(f"{name}, first load", measured(name, urls, posts, days))]
        if name == "functions":
            rows += [("the same rows alone, with their indexes", measured("rows_alone", urls, posts, days))]
        rows += [(f"{name}, nothing new", measured(name, urls, posts, days))]
    _empty(urls)
    rows += [(f"row by row (from {SAMPLE:,} posts)", measured("row_by_row", urls, posts, days))]
    if "dlt" in others:
        rows += [("dlt, dictionaries, one table", measured("dlt", urls, posts, days))]
    pace = best["posts"] / best["seconds"]
    table = Table(
        "way", "seconds", "posts/s", "of the floor", "peak MB", "", title=f"{posts:,} posts, {days} days"
    )
    for name, row in rows:
        speed = row["posts"] / row["seconds"]
        said = ", ".join(f"{key} {value:,}" for key, value in row["said"].items())
        table.add_row(
            name, f"{row['seconds']:.1f}", f"{speed:,.0f}", f"{speed / pace:.3f}", str(row["peak"]), said
        )
    console.print(table)


def main(posts: int, days: int, folder: Path, others: list[str]) -> None:
    console = Console(highlight=False, width=140)
    postgres = EmbeddedPostgres(folder, databases=("assets", "operation"))
    with SharedServers(folder, [postgres]):
        urls = [postgres.url("assets"), postgres.url("operation")]
        migrations.migrate(*urls)
        with _connect(urls[0]) as connection:
            version = connection.execute("select version()").fetchone() or ("",)
            there = connection.execute("select count(*) from raw_posts").fetchone()
            if there == (0,):
                intake_posts.fill(connection, posts, days=days)
        console.print(f"{described()}, {' '.join(version[0].split()[:2])} as the sandbox runs it")
        compare(urls, posts, days, console, others=others)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Intake against its floor.")
    parser.add_argument("posts", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--short", action="store_true", help="100,000 posts")
    parser.add_argument("--assets", action="store_true")
    parser.add_argument("--dlt", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--way", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.short:
        options.posts = 100_000
    if options.way:
        way, *addresses = options.way
        began = time.perf_counter()
        said = WAYS[way](addresses, options.posts, options.days)
        seconds = time.perf_counter() - began
        figures = {"seconds": seconds, "posts": said.pop("posts"), "peak": _peak_mb(), "said": said}
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        chosen = [name for name in ("assets", "dlt") if getattr(options, name)]
        if options.keep:
            main(options.posts, options.days, options.keep, chosen)
        else:
            with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
                main(options.posts, options.days, Path(temporary) / "server", chosen)
