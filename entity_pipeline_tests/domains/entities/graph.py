"""The whole graph on test databases and stand-ins: posts in, runs through the real Dagster jobs, rows out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg
import psycopg
from psycopg.types.json import Jsonb

from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.schema_probe import SchemaProbe
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.object_store import FakeObjectStore
from entity_pipeline_tests.settings_rows import put_rows
from entity_pipeline_tests.standins import GeminiStandin, InstagramStandin

MONDAY, TUESDAY, WEDNESDAY = (FIRST_DAY + timedelta(days=days) for days in (4, 5, 6))
WIDE = {"gap_s": 0, "jitter_s": [0, 0], "per_minute": 10_000, "per_hour": 10_000, "per_day": 10_000}
SETTINGS: Mapping[str, Any] = {
    "requests_per_minute": 10_000,
    "instagram_terms_acknowledged": True,
    "instagram_backfill_enabled": True,
    "instagram_windows": WIDE,
}


@dataclass
class Graph:
    """One installation. `gemini` and `instagram` count the requests that reached them."""

    assets_db: ClonedDatabase
    operation_db: ClonedDatabase
    gemini: GeminiStandin
    instagram: InstagramStandin
    pictures: FakeObjectStore
    instance: dg.DagsterInstance
    definitions: dg.Definitions
    _posts: int = field(default=0)

    def post(self, day: date, *usernames: str, times: int = 1) -> None:
        """Insert posts collected on `day` that tag all these accounts."""
        with self.assets_db.connection() as connection:
            for _ in range(times):
                self._posts += 1
                at = datetime.combine(day, time(9, self._posts % 60), UTC)
                tags = Jsonb({"tagged_usernames": list(usernames)})
                connection.execute(
                    "insert into raw_posts (platform, external_id, platform_metadata, created_at, updated_at) "
                    "values ('instagram', %s, %s, %s, %s)",
                    [f"post-{self._posts}", tags, at, at],
                )

    def settings(self, *, enabled: bool = True, **changes: Any) -> None:
        """Write the rows of pipeline_settings."""
        with self.assets_db.connection() as connection:
            put_rows(connection, on=enabled, **{**SETTINGS, **changes})

    def run(
        self,
        job: str,
        first: date = MONDAY,
        last: date | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        succeeds: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """Run a job over the days, both included; one day is a run of one partition, as the UI launches it."""
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        how: dict[str, Any] = (
            {"partition_key": first.isoformat()}
            if last is None
            else {"tags": range_tags(first.isoformat(), last.isoformat())}
        )
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, run_config={**(config or {}), **quiet}, raise_on_error=False, **how
        )
        assert result.success is succeeds, reasons(result)
        return result

    def materialize(
        self, *assets: str, day: date, last: date | None = None, succeeds: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Run some assets as the UI does: for a day, or as a part of a backfill for a range of days."""
        result = self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            tags=range_tags(day.isoformat(), (last or day).isoformat()),
        )
        assert result.success is succeeds, reasons(result)
        return result

    def run_all(self, first: date = MONDAY, last: date | None = None, limit: int = 100) -> None:
        """Run every stage over the days."""
        self.run("intake_job", first, last)
        self.run("enrichment_job", first, last, enrichment_config(limit))
        self.run("linking_job", first, last)

    def green(self, asset: str) -> set[str]:
        """Partitions that the UI shows as materialised."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))

    def observations(self, asset: str) -> list[dg.AssetObservation]:
        """Observations, the newest first."""
        records = self.instance.fetch_observations(dg.AssetKey(asset), limit=100).records
        return [record.asset_observation for record in records if record.asset_observation]

    def metadata(self, asset: str, day: date) -> dict[str, Any]:
        """Values of the newest materialisation of a partition."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[day.isoformat()]), limit=1
        ).records
        materialization = records[0].asset_materialization
        assert materialization is not None
        return plain(materialization.metadata)

    def observed(self, asset: str, day: date) -> dict[str, Any]:
        """Values of the newest observation of a partition, which is not finished."""
        return next(
            plain(seen.metadata) for seen in self.observations(asset) if seen.partition == day.isoformat()
        )

    def accounts(self) -> dict[str, dict[str, Any]]:
        """`metadata.entity_enrichment` by username."""
        with self.operation_db.connection() as connection:
            rows = connection.execute(
                "select username, metadata -> 'entity_enrichment' from instagram_accounts order by username"
            )
            return dict(rows.fetchall())

    def everything(self) -> dict[str, Sequence[Any]]:
        """Every row of both databases with the transaction that wrote it."""
        found: dict[str, Sequence[Any]] = {}
        for name, database in (("assets", self.assets_db), ("operation", self.operation_db)):
            with database.connection() as connection:
                found |= {f"{name}.{table}": rows for table, rows in _rows(connection).items()}
        return found

    def calls(self) -> int:
        """Requests that reached Gemini or Instagram."""
        return int(self.gemini.requests["total"]) + int(self.instagram.requests["total"])


def reasons(result: dg.ExecuteInProcessResult) -> list[str]:
    """The innermost message of every failed step."""
    found = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            described = event.step_failure_data.user_failure_data
            found.append(str(described.description if described else error and error.message).strip())
    return found


def plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata without Dagster's wrappers; a table as its rows."""
    return {
        name: [record.data for record in value.records]
        if isinstance(value, dg.TableMetadataValue)
        else value.value
        for name, value in metadata.items()
    }


def table(metadata: Mapping[str, Any], name: str, label: str = "outcome") -> dict[str, int]:
    """A table of counts as a dict."""
    rows = metadata[name]
    return {} if rows == "none" else {row[label]: row["accounts"] for row in rows}


@contextmanager
def graph(assets_db: ClonedDatabase, operation_db: ClonedDatabase, **overrides: Any) -> Iterator[Graph]:
    """An installation with wide limits, switched on; `overrides` replace resources."""
    pictures = FakeObjectStore()
    with (
        GeminiStandin(latency_ms=0) as gemini,
        InstagramStandin(latency_ms=0) as instagram,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        assets, operation = (PostgresResource(url=database.url) for database in (assets_db, operation_db))
        resources = {
            "assets_db": assets,
            "operation_db": operation,
            "schema": SchemaProbe(assets_db=assets, operation_db=operation),
            "settings": SettingsStore(assets_db=assets, operation_db=operation),
            "gemini": GeminiResource(assets_db=assets, api_key="any", base_url=gemini.url),
            "instagram": InstagramResource(assets_db=assets, base_url=instagram.url),
            "r2": pictures,
        }
        definitions = build_definitions({**resources, **overrides})
        installation = Graph(assets_db, operation_db, gemini, instagram, pictures, instance, definitions)
        installation.settings()
        yield installation


def _rows(connection: psycopg.Connection[Any]) -> dict[str, Sequence[Any]]:
    tables = [
        row[0]
        for row in connection.execute(
            "select tablename from pg_tables where schemaname = 'public' "
            # Says as of when the list is, and so moves with every look.
            "and tablename <> 'enrichment_queue_sweep' order by 1"
        )
    ]
    return {
        name: connection.execute(
            f'select t.ctid::text, t.xmin::text, to_jsonb(t) from "{name}" t order by 1'
        ).fetchall()
        for name in tables
    }
