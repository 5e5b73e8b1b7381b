"""Ask the sources, and send the due alerts by each channel.

Delivery is at least once: an alert is claimed in `pipeline_alerts`, sent, and then noted as sent. Only one of several
daemons sends it. A daemon that dies in between leaves a claim that expires, and the alert is sent again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from entity_pipeline.core.alerts import Alert, AlertSource, Look
from entity_pipeline.core.failures import ConfigurationFailure, PipelineFailure
from entity_pipeline.core.notifications import Notifications, NotSent
from entity_pipeline.core.ports import Database
from entity_pipeline.core.reasons import Reason, failure_reason, joined
from entity_pipeline.shared.alerts import store
from entity_pipeline.shared.alerts.rules import due_alerts, message_of

PACKAGE = "entity_pipeline.shared.alerts"
HOME_PATH = "/admin"
PAGES_PATH = "/admin/data-pipeline"


def gather(sources: Iterable[AlertSource], look: Look) -> tuple[list[Alert], list[Reason]]:
    """The alerts of all sources, one per key, and a reason for each source that failed."""
    found: dict[str, Alert] = {}
    unknown: dict[str, Reason] = {}
    for source in sources:
        try:
            for alert in source(look):
                found.setdefault(alert.key, alert)
        except PipelineFailure as failure:
            unknown[str(failure)] = failure_reason(str(failure))
        except Exception as error:  # noqa: BLE001 - a fault in one source must not silence all others
            name = type(error).__name__
            unknown[name] = Reason(PACKAGE, "faulty_source", {"error": name})
    return list(found.values()), list(unknown.values())


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends alerts by every channel. `domains` are the keys of those that have a page of their own."""

    assets_db: Database
    notifications: Notifications
    domains: frozenset[str]

    def send(self, alerts: Sequence[Alert], remind_after: timedelta, now: datetime) -> Reason:
        """Send what is due, in one message per channel; returns the reason for the tick.

        Raises:
            PipelineFailure: the database with `pipeline_alerts` can't be read, so nothing more was sent.
        """
        channels = self.notifications.channels()
        said = [self._send_by(channel, alerts, remind_after, now) for channel in channels]
        with self.assets_db.connection() as connection:
            store.note_true(connection, channels, [alert.key for alert in alerts])
        kinds = ", ".join(sorted({f"{alert.domain}/{alert.kind}" for alert in alerts}))
        true = Reason(PACKAGE, "true_now", {"kinds": kinds}) if kinds else Reason(PACKAGE, "none_true")
        return joined([true, *filter(None, said)])

    def _send_by(
        self, channel: str, alerts: Sequence[Alert], remind_after: timedelta, now: datetime
    ) -> Reason | None:
        with self.assets_db.connection() as connection:
            sent = store.sent_by(connection, channel)
            due = due_alerts(alerts, sent, remind_after, now)
            ours = store.claim(connection, channel, [alert.key for alert in due], sent)
        chosen = [alert for alert in due if alert.key in ours]
        if not chosen:
            return None
        addresses = {alert.key: address for alert in chosen if (address := self._address(alert))}
        try:
            self.notifications.send(channel, message_of(chosen, addresses))
        except (ConfigurationFailure, NotSent) as failure:
            return Reason(PACKAGE, "not_sent", {"failure": str(failure), "n": len(chosen)})
        with self.assets_db.connection() as connection:
            store.note_sent(connection, channel, sorted(ours))
        return Reason(PACKAGE, "sent", {"n": len(chosen), "channel": channel})

    def _address(self, alert: Alert) -> str | None:
        """The run, else the page of the alert, of its domain, or the home page. None when no address is configured."""
        if alert.run_id and (run := self.notifications.run_address(alert.run_id)):
            return run
        page = self.notifications.page_address()
        own = f"{PAGES_PATH}/{alert.domain.replace('_', '-')}" if alert.domain in self.domains else HOME_PATH
        return f"{page}{alert.page or own}" if page else None
