"""Asking the sources, and sending what is due by each channel.

At least once: an alert is claimed in `pipeline_alerts`, sent, and then noted. Of several daemons one sends. One that
dies in between leaves a claim that runs out, and the alert is sent again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from entity_pipeline.core.alerts import Alert, AlertSource, Look
from entity_pipeline.core.failures import ConfigurationFailure, PipelineFailure
from entity_pipeline.core.notifications import Notifications, NotSent
from entity_pipeline.core.ports import Database
from entity_pipeline.shared.alerts import store
from entity_pipeline.shared.alerts.rules import due_alerts, message_of

HOME_PATH = "/admin"
PAGES_PATH = "/admin/data-pipeline"


def gather(sources: Iterable[AlertSource], look: Look) -> tuple[list[Alert], list[str]]:
    """The alerts of all sources, one per key, and a sentence for each source that could not tell all of its own."""
    found: dict[str, Alert] = {}
    unknown: dict[str, None] = {}
    for source in sources:
        try:
            for alert in source(look):
                found.setdefault(alert.key, alert)
        except PipelineFailure as failure:
            unknown[str(failure)] = None
        except Exception as error:  # noqa: BLE001 - a fault in one source must not silence all others
            unknown[f"A source of alerts has a fault ({type(error).__name__})."] = None
    return list(found.values()), list(unknown)


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends alerts by every channel. `domains` are the keys of those that have a page of their own."""

    assets_db: Database
    notifications: Notifications
    domains: frozenset[str]

    def send(self, alerts: Sequence[Alert], remind_after: timedelta, now: datetime) -> str:
        """Send what is due, in one message per channel; returns a sentence about it.

        Raises:
            PipelineFailure: the database with `pipeline_alerts` can't be asked, so nothing more was sent.
        """
        channels = self.notifications.channels()
        said = [self._send_by(channel, alerts, remind_after, now) for channel in channels]
        with self.assets_db.connection() as connection:
            store.note_true(connection, channels, [alert.key for alert in alerts])
        kinds = ", ".join(sorted({f"{alert.domain}/{alert.kind}" for alert in alerts})) or "none"
        return " ".join([f"Alerts that are true: {kinds}.", *filter(None, said)])

    def _send_by(self, channel: str, alerts: Sequence[Alert], remind_after: timedelta, now: datetime) -> str:
        with self.assets_db.connection() as connection:
            sent = store.sent_by(connection, channel)
            due = due_alerts(alerts, sent, remind_after, now)
            ours = store.claim(connection, channel, [alert.key for alert in due], sent)
        chosen = [alert for alert in due if alert.key in ours]
        if not chosen:
            return ""
        addresses = {alert.key: address for alert in chosen if (address := self._address(alert))}
        try:
            self.notifications.send(channel, message_of(chosen, addresses))
        except (ConfigurationFailure, NotSent) as failure:
            return f"{failure} {len(chosen)} alerts wait for it."
        with self.assets_db.connection() as connection:
            store.note_sent(connection, channel, sorted(ours))
        return f"{len(chosen)} sent by {channel}."

    def _address(self, alert: Alert) -> str | None:
        """The run; else the page of the alert, of its domain, or the first page. None when none is known."""
        if alert.run_id and (run := self.notifications.run_address(alert.run_id)):
            return run
        page = self.notifications.page_address()
        own = f"{PAGES_PATH}/{alert.domain.replace('_', '-')}" if alert.domain in self.domains else HOME_PATH
        return f"{page}{alert.page or own}" if page else None
