"""The work of Dagster's daemons, done by the soak: ticks are evaluated for real, and runs executed.

The queue lives in this object: requests of a tick wait here until they are executed, cancelled by the switch, or
lost with a run that was killed.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from entity_pipeline.domains.entities import automation
from entity_pipeline_tests.reliability.soak_installation import Launched

EVERY_FIVE_MINUTES = automation.sensors


@dataclass
class Automation:
    """Evaluates the pipeline's own sensors and schedules; cursors are kept as the daemon keeps them."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    resources: Mapping[str, Any]
    counts: Counter[str] = field(default_factory=Counter)
    failed_ticks: list[str] = field(default_factory=list)
    why_waiting: Counter[str] = field(default_factory=Counter)
    _cursors: dict[str, str | None] = field(default_factory=dict)

    def requests_of_sensors(self) -> list[Launched]:
        """Evaluate one tick of each sensor that asks for runs."""
        return [
            run for sensor in EVERY_FIVE_MINUTES for run in self._attempt(sensor.name, self._sensor, sensor)
        ]

    def requests_of_schedule(self, at: datetime) -> list[Launched]:
        """Evaluate one tick of `enrichment_schedule`."""
        return self._attempt("enrichment_schedule", self._schedule, at)

    def _attempt(self, name: str, evaluate: Any, *arguments: Any) -> list[Launched]:
        self.counts["ticks evaluated"] += 1
        try:
            data = evaluate(*arguments)
        except Exception as error:  # noqa: BLE001 - the daemon notes a failed tick and comes again
            self.failed_ticks.append(f"{name}: {type(error).__name__}: {error}")
            return []
        if data.skip_message:
            self.why_waiting[data.skip_message[:60]] += 1
        return [_launched(request, self.definitions, name) for request in data.run_requests or []]

    def _sensor(self, sensor: Any) -> Any:
        needed = {key: self.resources[key] for key in sensor.required_resource_keys}
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursors.get(sensor.name),
            resources=needed,
            definitions=self.definitions,
        ) as context:
            data = sensor.evaluate_tick(context)
        self._cursors[sensor.name] = data.cursor
        return data

    def _schedule(self, at: datetime) -> Any:
        schedule = automation.enrichment_schedule
        needed = {key: self.resources[key] for key in schedule.required_resource_keys}
        with dg.build_schedule_context(
            instance=self.instance,
            resources=needed,
            scheduled_execution_time=at,
            repository_def=self.definitions.get_repository_def(),
        ) as opened:
            context: Any = opened
            context._instance = self.instance  # or each tick would open the storage again
            return schedule.evaluate_tick(context)


def end_as_the_monitor_does(instance: dg.DagsterInstance) -> int:
    """Fail the runs whose process is gone and give back their places in the pools; returns their number."""
    gone = instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    )
    for run in gone:
        instance.report_run_failed(run)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(gone)


def record_cancelled(definitions: dg.Definitions, instance: dg.DagsterInstance, run: Launched) -> None:
    """Record in Dagster a run that was cancelled in the queue."""
    tags = {**run.tags, "dagster/partition": run.partition} if run.partition else dict(run.tags)
    record = instance.create_run_for_job(definitions.resolve_job_def(run.job), tags=tags)
    instance.report_run_canceled(record)


def _launched(request: dg.RunRequest, definitions: dg.Definitions, name: str) -> Launched:
    jobs = {
        "new_posts_sensor": "intake_job",
        "catalog_links_sensor": "linking_job",
        "enrichment_schedule": "enrichment_job",
    }
    return Launched(
        request.job_name or jobs[name],
        request.partition_key,
        dict(request.tags),
        dict(request.run_config or {}),
    )
