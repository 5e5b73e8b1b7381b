"""The sensor that empties the queue of a domain that is switched off. Running runs stop at the next account."""

from collections.abc import Sequence

import dagster as dg

from entity_pipeline.core.domain import Domain
from entity_pipeline.core.reasons import Reason, joined
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.shared.runs.gate import gate_of
from entity_pipeline.shared.runs.locations import OUR_SENSOR, our_runs, own_locations
from entity_pipeline.shared.runs.owners import RunOwners
from entity_pipeline.shared.runs.skips import skipped

PACKAGE = "entity_pipeline.shared.runs"


def switch_off_sensor(domains: Sequence[Domain], owners: RunOwners) -> dg.SensorDefinition:
    """One sensor for all domains. It cancels no run that also works for a domain that is switched on, or is another
    project's."""

    @dg.sensor(
        name=OUR_SENSOR,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Cancels queued runs of domains that are switched off. Running ones stop at the next account.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[SettingsAccess]
    ) -> dg.SensorResult:
        """Cancel the queued runs of all domains whose gate is closed."""
        gates = {domain.key: gate_of(settings, domain.settings) for domain in domains}
        closed = {key: gate.reason for key, gate in gates.items() if isinstance(gate, Closed)}
        if not closed:
            return skipped(Reason(PACKAGE, "switches_are_on"), context.cursor)
        cancelled = dict.fromkeys(closed, 0)
        here = own_locations(context.instance, context.code_location_origin)
        queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
        for run in our_runs(context.instance, queued, here):
            works_for = owners.domains(run)
            if works_for and works_for <= closed.keys():
                context.instance.run_coordinator.cancel_run(run.run_id)
                for key in works_for:
                    cancelled[key] += 1
        said = [_emptied(key, reason, cancelled[key]) for key, reason in closed.items()]
        return skipped(joined(said), context.cursor)

    return sensor


def _emptied(domain: str, reason: Reason, cancelled: int) -> Reason:
    return Reason(
        PACKAGE,
        "queue_emptied" if cancelled else "queue_was_empty",
        {"domain": domain, "reason": reason, "n": cancelled},
    )
