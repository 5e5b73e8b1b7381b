"""The domain in Dagster: its jobs and assets in one process on a test's database, against the stand-in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import dagster as dg

from entity_pipeline.definitions import build_definitions
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import plain, reasons
from entity_pipeline_tests.domains.influencers.ground import Ground

_QUIET: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Graph:
    """One installation with its Dagster instance."""

    ground: Ground
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def run(self, job: str = "influencers_queue_job", *, succeeds: bool = True) -> dg.ExecuteInProcessResult:
        """Run a job."""
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, run_config=dict(_QUIET), raise_on_error=False
        )
        assert result.success is succeeds, reasons(result)
        return result

    def materialize(
        self, *assets: str, first: date, last: date | None = None, succeeds: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Run some assets for days as the UI does."""
        result = self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            run_config=dict(_QUIET),
            raise_on_error=False,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            tags=range_tags(first.isoformat(), (last or first).isoformat()),
        )
        assert result.success is succeeds, reasons(result)
        return result

    def green(self, asset: str) -> set[date]:
        """Partitions that the UI shows as materialised."""
        return set(map(date.fromisoformat, self.instance.get_materialized_partitions(dg.AssetKey(asset))))

    def observation(self, asset: str) -> dict[str, Any]:
        """The metadata of the newest observation."""
        records = self.instance.fetch_observations(dg.AssetKey(asset), limit=1).records
        assert records[0].asset_observation is not None
        return plain(records[0].asset_observation.metadata)

    def made_on(self, day: datetime) -> None:
        """Let every task that was made today have been made then."""
        with self.ground.database.connection() as connection:
            connection.execute(
                "update scrape_tasks set created_at = %s where created_at > now() - interval '1 hour'", [day]
            )


@contextmanager
def graph(assets_db: ClonedDatabase, operation_db: ClonedDatabase, ground: Ground) -> Iterator[Graph]:
    """The domain's definitions over the ground."""
    assets, operation = (PostgresResource(url=database.url) for database in (assets_db, operation_db))
    overrides = {
        "assets_db": assets,
        "operation_db": operation,
        "settings": SettingsStore(assets_db=assets, operation_db=operation),
        "instagram": ground.access,
    }
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(ground, instance, build_definitions(overrides))
