"""The sensor over all alert sources. It only runs SQL and sends one message per channel; its tick is in `tick.py`."""

from collections.abc import Sequence

import dagster as dg

from entity_pipeline.core.domain import Domain
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.notifications import Notifications
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.shared.runs.owners import RunOwners


def alerts_sensor(domains: Sequence[Domain], owners: RunOwners) -> dg.SensorDefinition:
    """One sensor for the alerts of these domains and the shared services."""

    @dg.sensor(
        name="alerts_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends each alert once by webhook and e-mail, with what to do.",
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        assets_db: dg.ResourceParam[Database],
        operation_db: dg.ResourceParam[Database],
        settings: dg.ResourceParam[SettingsAccess],
        gemini: dg.ResourceParam[GeminiAccess],
        notifications: dg.ResourceParam[Notifications],
    ) -> dg.SensorResult:
        """Send the alerts that are due."""
        from entity_pipeline.shared.alerts.tick import send_due_alerts

        return send_due_alerts(
            context,
            domains,
            owners,
            assets_db=assets_db,
            operation_db=operation_db,
            settings=settings,
            gemini=gemini,
            notifications=notifications,
        )

    return sensor
