"""Whose run it is: a Dagster instance may hold the runs of other projects, whose jobs and assets may have our names.

A run that Dagster launched knows its code location. One that a command executes in its own process has none, and is
recognised by its tag, job or assets.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import dagster as dg

# Only this project has a sensor of this name, and it is on by default.
OUR_SENSOR = "switch_off_sensor"


def own_locations(instance: dg.DagsterInstance, origin: Any = None) -> frozenset[str]:
    """The name of our code location: that of `origin`, a sensor's `code_location_origin`.

    Without one, the locations from which our sensor has ticked: several if it was renamed, none before the first tick.
    """
    if origin is not None:
        return frozenset({origin.location_name})
    if instance.schedule_storage is None:  # an ephemeral instance, which no other project shares
        return frozenset()
    return frozenset(
        state.origin.repository_origin.code_location_origin.location_name
        for state in instance.all_instigator_state()
        if state.instigator_name == OUR_SENSOR
    )


def is_ours(run: dg.DagsterRun, here: AbstractSet[str]) -> bool:
    """Whether the run is not that of another code location than those `here`; if none is known, none is excluded."""
    origin = run.remote_job_origin
    return origin is None or not here or origin.repository_origin.code_location_origin.location_name in here


def our_runs(
    instance: dg.DagsterInstance, which: dg.RunsFilter, here: AbstractSet[str] | None = None
) -> Iterable[dg.DagsterRun]:
    """The runs of the filter that are ours; `here` is looked up if it is None."""
    here = own_locations(instance) if here is None else here
    return (run for run in instance.get_runs(which) if is_ours(run, here))
