"""Which alerts are due now, and the message that holds them. Pure.

An alert that stops being true for less than `RECOVERED_AFTER` has not recovered, so a figure that swings around its
limit is sent once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from entity_pipeline.core.alerts import Alert
from entity_pipeline.core.notifications import Message

RECOVERED_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SentAlert:
    """What is stored of an alert and a channel; times on the database's clock. See `pipeline_alerts`."""

    true_at: datetime
    sent_at: datetime | None
    claimed_until: datetime | None


def due_alerts(
    alerts: Sequence[Alert], sent: Mapping[str, SentAlert], remind_after: timedelta, now: datetime
) -> list[Alert]:
    """The alerts to send now by one channel: new ones, recurring ones, unsent ones, and those due for a reminder."""
    return [alert for alert in alerts if _is_due(sent.get(alert.key), remind_after, now)]


def message_of(alerts: Sequence[Alert], addresses: Mapping[str, str]) -> Message:
    """One message for all alerts: what happened, what to do, and where to look. `addresses` has links by key."""
    parts = [
        "\n".join(filter(None, [alert.says, f"What to do: {alert.what_to_do}", addresses.get(alert.key)]))
        for alert in alerts
    ]
    first = f"{alerts[0].domain} {alerts[0].kind}".replace("_", " ")
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    return Message(f"entity_pipeline: {first}{more}", "\n\n".join(parts))


def _is_due(sent: SentAlert | None, remind_after: timedelta, now: datetime) -> bool:
    if sent is None:
        return True
    if sent.claimed_until is not None and sent.claimed_until > now:
        return False
    return sent.sent_at is None or now - sent.true_at > RECOVERED_AFTER or now - sent.sent_at >= remind_after
