"""Seconds that each sensor, the schedule and the asset checks take with 1,000,000 accounts waiting.

    .venv/bin/python benchmarks/planning.py [--short]

Starts its own PostgreSQL with all three databases: Dagster's holds a year of runs, the collector's a million
posts, the ledger a busy month. A tick here is the code server's part: resources, the queries, the answer.
"""

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import dagster as dg
import psycopg
from machine import described
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep
from entity_pipeline.domains.entities.automation import enrichment_schedule
from entity_pipeline.domains.entities.checks import checks
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres
from entity_pipeline.shared.runs.tags import range_tags

LIMIT_S = 1.0
TIMES = 5
DAGSTER_YAML = """
storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}
run_coordinator: {module: dagster.core.run_coordinator, class: QueuedRunCoordinator}
telemetry: {enabled: false}
"""

# Of ten that wait, three were put off by Instagram. The cohorts are the last 50 days.
_WAITING = """
insert into instagram_accounts (username, created_at, metadata)
select 'waits_' || n, timestamptz '{first}' + n % {days} * interval '1 day',
  jsonb_build_object('entity_enrichment', jsonb_build_object('cohort', (date '{first}' + n % {days})::text,
    'tagging', jsonb_build_object('posts', 1 + (1000000 / (n + 1))::int, 'first_tagged_at', '2026-10-01T00:00:00+00:00',
      'last_tagged_at', '2026-10-02T00:00:00+00:00', 'sample_posts', jsonb_build_array(gen_random_uuid())))
  || case when n % 10 < 3 then jsonb_build_object('profile_backfill', jsonb_build_object('status', 'deferred',
    'outcome', 'budget', 'attempts', 1, 'next_attempt_at', (now() + (n % 3 - 1) * interval '1 hour')::text))
    else '{}' end)
from generate_series({begin}, {end}) n
"""
# Decided ones, the most-tagged of all, with metadata as long as real ones. Every twentieth waits for a primary
# account that is not there.
_DECIDED = """
insert into instagram_accounts (username, created_at, metadata)
select 'done_' || n, timestamptz '{first}' + n % {days} * interval '1 day',
  jsonb_build_object('entity_enrichment', jsonb_build_object('cohort', (date '{first}' + n % {days})::text,
    'tagging', jsonb_build_object('posts', 1000000 + n),
    'gemini_review', jsonb_build_object('status', 'reviewed', 'reviewed_at', '2026-11-01T00:00:00+00:00',
      'review', jsonb_build_object('account_type', 'brand', 'name_en', 'Name ' || n,
        'primary_username', case when n % 20 = 0 then 'nobody_' || n end),
      'evidence', (select string_agg(md5(n::text || k), ' ') from generate_series(1, 60) k)),
    'catalog_link', jsonb_build_object('reviewed_at', '2026-11-01T00:00:00+00:00', 'status', 'held',
      'reasons', jsonb_build_array(case when n % 20 = 0 then 'primary_not_linked' else 'below_threshold' end))))
from generate_series({begin}, {end}) n
"""
_CATALOG = """
insert into brands (id, name_en, name_ko) select md5('entity' || n)::uuid, 'House ' || n, '하우스 ' || n
from generate_series({begin}, {end}) n;
insert into admin_audit_log (admin_user_id, action, target_table, target_id, after_state, metadata)
select 'e7717000-0000-4000-8000-0000e4717195', 'entity_enrichment.created', 'brands', md5('entity' || n)::uuid,
  jsonb_build_object('name_en', 'House ' || n), jsonb_build_object('pipeline', 'entity_enrichment', 'run_id', 'r')
from generate_series({begin}, least({end}, {begin} + ({end} - {begin}) / 10)) n
"""
_POSTS = """
insert into raw_posts (platform, external_id, platform_metadata, created_at, updated_at)
select 'instagram', 'post-' || n, jsonb_build_object('caption', md5(n::text),
    'tagged_usernames', jsonb_build_array('waits_' || n, 'waits_' || n / 2)), at, at
from (select n, timestamptz '{first}' + n % {days} * interval '1 day' + n * interval '0.05 s' as at
  from generate_series({begin}, {end}) n) posts
"""
_NEW_POSTS = "update raw_posts set updated_at = clock_timestamp() where external_id = any(%s)"
# A month of 1,450 per day, half of it today's.
_LEDGER = """
insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, model_version, grounded, state,
  quota_day, subject, search_queries, cost_usd, reply, metadata)
select at, at, 'entity_enrichment', 'instagram_account_review', 'gemini-2.5-flash', 'gemini-2.5-flash', true, 'settled',
  (at at time zone 'America/Los_Angeles')::date, 'done_' || n, 2, 0.002, jsonb_build_object('text', repeat('x', 2000)),
  '{"kind": "review"}'
from (select n, now() - n % 30 * interval '1 day' - n * interval '0.01 s' as at
  from generate_series({begin}, {end}) n) events
"""
_RUNS = """
insert into runs (run_id, pipeline_name, mode, status, run_body, create_timestamp, update_timestamp, start_time,
  end_time)
select md5('run' || n), pipeline_name, mode, case when n % 100 = 0 then 'FAILURE' else 'SUCCESS' end,
  replace(run_body, run_id, md5('run' || n)), at, at, extract(epoch from at) - 60, extract(epoch from at)
from runs, lateral (select n, (now() at time zone 'UTC') - n * interval '26 minutes' as at
  from generate_series(1, {runs}) n) made
where run_id = '{run_id}';
insert into run_tags (run_id, key, value)
select md5('run' || n), key, value from run_tags, generate_series(1, {runs}) n where run_id = '{run_id}';
"""


class Installation:
    """The databases of one server, and what the daemon's code server would load."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        self.definitions = build_definitions()
        self.cursors: dict[str, str | None] = {}

    @contextmanager
    def connection(self, database: str) -> Iterator[psycopg.Connection[Any]]:
        """A connection as the owner of the server."""
        with psycopg.connect(self._postgres.url(database), autocommit=True, prepare_threshold=None) as opened:
            yield opened

    def fill(self, database: str, statement: str, count: int, **values: object) -> None:
        """Run a statement for 1 to `count`, 50,000 at a time."""
        days = max((datetime.now(UTC).date() - FIRST_DAY).days, 1)
        known = {"first": FIRST_DAY, "days": days, **values}
        with self.connection(database) as connection:
            for begin in range(1, count + 1, 50_000):
                text = statement
                for name, value in {**known, "begin": begin, "end": min(begin + 49_999, count)}.items():
                    text = text.replace(f"{{{name}}}", str(value))
                connection.execute(text.encode())

    def sensor(self, instance: dg.DagsterInstance, sensor: dg.SensorDefinition) -> str:
        """Evaluate one tick, and keep its cursor for the next."""
        with dg.build_sensor_context(
            instance=instance,
            cursor=self.cursors.get(sensor.name),
            resources=self._resources(sensor.required_resource_keys),
            definitions=self.definitions,
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursors[sensor.name] = data.cursor
        return data.skip_message or f"{len(data.run_requests or [])} runs asked for"

    def schedule(self, instance: dg.DagsterInstance) -> str:
        """Evaluate one tick of enrichment_schedule."""
        with dg.build_schedule_context(
            instance=instance,
            resources=self._resources(enrichment_schedule.required_resource_keys),
            scheduled_execution_time=datetime.now(UTC),
            repository_def=self.definitions.get_repository_def(),
        ) as context:
            data = enrichment_schedule.evaluate_tick(context)
        return data.skip_message or f"{len(data.run_requests or [])} runs asked for"

    def check(self, check: dg.AssetChecksDefinition) -> str:
        """Run one asset check."""
        with dg.build_resources(self._resources(check.required_resource_keys)) as built:
            result = check(**built._asdict())
        return "passed" if result.passed else "warns"

    def _resources(self, keys: Any) -> dict[str, Any]:
        known = self.definitions.resources or {}
        return {key: known[key] for key in keys if key in known}


def timed(action: Callable[[], str], times: int = TIMES) -> tuple[float, str]:
    """Median seconds, and the last result."""
    taken, said = [], ""
    for _ in range(times):
        began = time.perf_counter()
        said = action()
        taken.append(time.perf_counter() - began)
    return median(taken), said


def build(installation: Installation, postgres: EmbeddedPostgres, accounts: int) -> None:
    """Insert everything that a tick may have to read."""
    migrations.migrate(postgres.url("assets"), postgres.url("operation"))
    switch = "update pipeline_settings set is_enabled = true, settings = %s where platform = %s"
    with installation.connection("assets") as connection:
        for row, settings in (
            ("gemini", '{"daily_grounding_cap": 100000, "daily_spend_usd": 1000}'),
            ("instagram", '{"terms_acknowledged": true}'),
            ("entity_enrichment", '{"instagram_backfill_enabled": true}'),
        ):
            connection.execute(switch, [settings, row])
    installation.fill("operation", _WAITING, accounts)
    installation.fill("operation", _DECIDED, accounts // 10)
    installation.fill("operation", _CATALOG, accounts // 10)
    installation.fill("assets", _POSTS, accounts)
    installation.fill("assets", _LEDGER, min(43_500, accounts))
    with installation.connection("operation") as operation, installation.connection("assets") as assets:
        sweep(operation, assets, give_up_at=math.inf)
    for database in ("operation", "assets"):
        with installation.connection(database) as connection:
            connection.execute("vacuum analyze")


def year_of_runs(installation: Installation, instance: dg.DagsterInstance, runs: int) -> None:
    """Insert so many ended runs over the last year, one of a hundred failed, all copies of one."""
    job = installation.definitions.resolve_job_def("linking_job")
    tags = range_tags(FIRST_DAY.isoformat(), (FIRST_DAY + timedelta(days=2)).isoformat())
    run = instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.SUCCESS)
    with installation.connection("dagster") as connection:
        connection.execute(_RUNS.replace("{runs}", str(runs)).replace("{run_id}", run.run_id).encode())
        connection.execute("analyze")


def measure(installation: Installation, instance: dg.DagsterInstance, console: Console) -> float:
    """Print one line for each; returns the slowest in seconds."""
    by_name = {sensor.name: sensor for sensor in installation.definitions.get_repository_def().sensor_defs}
    rows: list[tuple[str, float, str]] = []

    def note(name: str, action: Callable[[], str], times: int = TIMES) -> None:
        rows.append((name, *timed(action, times)))

    def tick(name: str) -> Callable[[], str]:
        return lambda: installation.sensor(instance, by_name[name])

    note("new_posts_sensor, 100,000 posts to catch up with", tick("new_posts_sensor"), 1)
    while installation.sensor(instance, by_name["new_posts_sensor"]).endswith("asked for"):
        pass
    note("new_posts_sensor, nothing new", tick("new_posts_sensor"))
    with installation.connection("assets") as connection:
        connection.execute(_NEW_POSTS, [[f"post-{n}" for n in range(1, 2_001)]])
    note("new_posts_sensor, 2,000 posts changed", tick("new_posts_sensor"), 1)
    note("enrichment_schedule", lambda: installation.schedule(instance))
    for name in (
        "changed_accounts_sensor",
        "catalog_links_sensor",
        "unfinished_runs_sensor",
        "switch_off_sensor",
        "alerts_sensor",
    ):
        note(name, tick(name))
    for check in checks:
        note(next(iter(check.check_keys)).name, lambda check=check: installation.check(check), 3)  # type: ignore[misc]
    with installation.connection("assets") as connection:
        connection.execute("update pipeline_settings set is_enabled = false")
    note("enrichment_schedule, switched off", lambda: installation.schedule(instance))
    note("switch_off_sensor, switched off", tick("switch_off_sensor"))

    for name, seconds, said in rows:
        console.print(f"{name:<50} {seconds:6.3f} s{' !' if seconds > LIMIT_S else '  '} {said[:60]}")
    return max(seconds for _, seconds, _ in rows)


def main(accounts: int, runs: int, folder: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(described())
    postgres = EmbeddedPostgres(folder, databases=("dagster", "assets", "operation"))
    with SharedServers(folder, [postgres]):
        urls = {f"{name.upper()}_DATABASE_URL": postgres.url(name) for name in ("assets", "operation")}
        os.environ.update(
            urls,
            DAGSTER_POSTGRES_URL=postgres.url("dagster", driver="+psycopg2"),
            # Nothing listens there, and no alert is due.
            ALERT_WEBHOOK_URL="http://127.0.0.1:9/unused",
            GEMINI_API_KEY="none",
        )
        (folder / "dagster.yaml").write_text(DAGSTER_YAML)
        began = time.perf_counter()
        installation = Installation(postgres)
        build(installation, postgres, accounts)
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            year_of_runs(installation, instance, runs)
            console.print(
                f"{accounts:,} accounts waiting, {accounts // 10:,} decided, {accounts:,} posts, {runs:,} runs made "
                f"in {time.perf_counter() - began:.0f} s"
            )
            slowest = measure(installation, instance, console)
    console.print(f"slowest: {slowest:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Seconds of each tick and asset check.")
    parser.add_argument("--short", action="store_true", help="100,000 accounts and posts, 2,000 runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
        main(*((100_000, 2_000) if options.short else (1_000_000, 20_000)), Path(temporary) / "server")
