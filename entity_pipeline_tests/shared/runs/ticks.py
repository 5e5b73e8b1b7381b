"""Ticks of a schedule in Dagster's records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

# Only Dagster's own daemon makes ticks, so there is no public way to make one for a test.
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo


def decided(
    instance: dg.DagsterInstance,
    status: TickStatus,
    *,
    minutes_ago: int,
    schedule: str = "enrichment_schedule",
    known: Any = None,
) -> Any:
    """Record a tick that ended this way; returns the schedule's state, for further ticks."""
    if known is None:
        location = RegisteredCodeLocationOrigin("entity_pipeline")
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), schedule)
        known = instance.add_instigator_state(
            InstigatorState(
                origin,
                InstigatorType.SCHEDULE,
                InstigatorStatus.RUNNING,
                ScheduleInstigatorData("*/15 * * * *"),
            )
        )
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    instance.create_tick(
        TickData(
            known.instigator_origin_id,
            schedule,
            InstigatorType.SCHEDULE,
            status,
            at.timestamp(),
            selector_id=known.selector_id,
            error=SerializableErrorInfo("broken", [], None) if status is TickStatus.FAILURE else None,
        )
    )
    return known
