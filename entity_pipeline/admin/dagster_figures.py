"""Runs in flight and the last tick of each schedule and sensor, from an open instance of Dagster.

The time limit for reading the storage belongs to `dagster_records.py`.
"""

from datetime import UTC, datetime
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from entity_pipeline.admin.automation import Automation
from entity_pipeline.admin.shown import Sentence, Shown
from entity_pipeline.core.reasons import Reason
from entity_pipeline.core.run_address import run_address
from entity_pipeline.shared.runs.domain_runs import IN_FLIGHT
from entity_pipeline.shared.runs.health import CHOSEN_ASSETS
from entity_pipeline.shared.runs.locations import is_ours, own_locations
from entity_pipeline.shared.runs.skips import skip_reason

_MOST_RUNS = 50


class Tick(Shown):
    """One evaluation of a sensor or schedule.

    `said` is why it skipped, or its error; an English text where Dagster stores only that.
    """

    name: str
    at: datetime
    status: Literal["started", "skipped", "success", "failure"]
    said: Sentence | str | None
    runs: list[str] = Field(description="Ids of the runs that it requested.")


class RunInFlight(Shown):
    """A queued or running run."""

    run_id: str
    job: str = Field(description="The job; for a backfill or selected assets, the assets.")
    status: str = Field(description="Dagster's word: QUEUED, STARTED, CANCELING ...")
    partitions: str | None = Field(description="A day, or `first...last`.")
    since: datetime | None
    url: str | None = Field(description="The run in the Dagster UI, if its address is configured.")
    domains: list[str] = Field(description="The keys of the domains that it works for.")


class DagsterFigures(Shown):
    """The content of Dagster's storage. `away` says why it can't be read, and then the lists are empty."""

    away: Sentence | None
    ui_url: str | None
    ticks: list[Tick] = Field(description="The newest tick of each schedule and sensor, schedules first.")
    runs: list[RunInFlight]


def figures_of(instance: dg.DagsterInstance, ui_url: str | None, automation: Automation) -> DagsterFigures:
    """The current figures of the instance; `ui_url` is the address of the Dagster UI."""
    records = instance.get_run_records(dg.RunsFilter(statuses=IN_FLIGHT), limit=_MOST_RUNS)
    here = own_locations(instance)
    runs = [_run(record, ui_url, automation) for record in records if is_ours(record.dagster_run, here)]
    return DagsterFigures(away=None, ui_url=ui_url, ticks=_ticks(instance), runs=runs)


def without_dagster(why: Reason, ui_url: str | None) -> DagsterFigures:
    """Empty figures, with the reason."""
    return DagsterFigures(away=why, ui_url=ui_url, ticks=[], runs=[])


def of_domain(figures: DagsterFigures, automation: Automation, key: str) -> DagsterFigures:
    """The figures of one domain; a run of an unknown domain belongs to each."""
    names = automation.names.get(key, frozenset())
    return figures.model_copy(
        update={
            "ticks": [tick for tick in figures.ticks if tick.name in names],
            "runs": [run for run in figures.runs if key in run.domains or not run.domains],
        }
    )


def worded(figures: DagsterFigures, reason: Reason | None) -> DagsterFigures:
    """The figures with the reason as a value where a tick says its sentence.

    A schedule has no cursor to keep the value in, as sensors have (`shared/runs/skips.py`).
    """
    ticks = [
        tick.model_copy(update={"said": reason}) if reason is not None and tick.said == str(reason) else tick
        for tick in figures.ticks
    ]
    return figures.model_copy(update={"ticks": ticks})


def _ticks(instance: dg.DagsterInstance) -> list[Tick]:
    """The newest tick of each, schedules first. A name that moved to another code location has several states."""
    newest: dict[str, tuple[bool, Tick]] = {}
    for state in instance.all_instigator_state():
        is_sensor = state.instigator_type.value == "SENSOR"
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1):
            found = _tick(state.instigator_name, tick)
            if found.name not in newest or newest[found.name][1].at < found.at:
                newest[found.name] = (is_sensor, found)
    return [tick for _, tick in sorted(newest.values(), key=lambda one: (one[0], -one[1].at.timestamp()))]


def _tick(name: str, tick: Any) -> Tick:
    error = tick.error.message.strip() if tick.error is not None else None
    return Tick(
        name=name,
        at=datetime.fromtimestamp(tick.timestamp, UTC),
        status=tick.status.value.lower(),
        said=skip_reason(tick.cursor, tick.skip_reason) or tick.skip_reason or error,
        runs=list(tick.run_ids),
    )


def _run(record: dg.RunRecord, ui_url: str | None, automation: Automation) -> RunInFlight:
    run = record.dagster_run
    tags = run.tags
    first = tags.get("dagster/asset_partition_range_start")
    last = tags.get("dagster/asset_partition_range_end")
    return RunInFlight(
        run_id=run.run_id,
        job=_name_of(run),
        status=run.status.value,
        partitions=tags.get("dagster/partition") or (f"{first}...{last}" if first and last else None),
        since=datetime.fromtimestamp(record.start_time, UTC)
        if record.start_time
        else record.create_timestamp,
        url=run_address(ui_url, run.run_id),
        domains=sorted(automation.owners.domains(run)),
    )


def _name_of(run: dg.DagsterRun) -> str:
    if run.job_name != CHOSEN_ASSETS:
        return run.job_name
    return ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or run.job_name
