"""Until when Instagram gives the domain nothing, as the last run of the queue found out: a tag of that run.

The budget is the governor's and changes by the second; without this, a run would be launched every 30 seconds for
nothing. Limits may be raised meanwhile, so no run is held back for longer than `LONGEST`.
"""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

import dagster as dg

from entity_pipeline.domains.influencers.jobs import QUEUE_JOB
from entity_pipeline.shared.runs.locations import is_ours

HELD_TAG = "entity_pipeline/held_until"
LONGEST = timedelta(minutes=15)
_MOST_RUNS = 5


def note_held(instance: dg.DagsterInstance, run_id: str, until: datetime) -> None:
    """Tag the run; its id is that of a run of `QUEUE_JOB`, or of one over chosen days."""
    instance.add_run_tags(run_id, {HELD_TAG: until.astimezone(UTC).isoformat()})


def held_until(instance: dg.DagsterInstance, here: AbstractSet[str], now: datetime) -> datetime | None:
    """The instant of the newest run of the queue that has ended, if it is still to come."""
    ended = dg.RunsFilter(
        job_name=QUEUE_JOB, statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    )
    for record in instance.get_run_records(ended, limit=_MOST_RUNS):
        if not is_ours(record.dagster_run, here):
            continue
        noted = record.dagster_run.tags.get(HELD_TAG)
        if noted is None:
            return None
        until = min(datetime.fromisoformat(noted), record.create_timestamp.astimezone(UTC) + LONGEST)
        return until if until > now else None
    return None
