"""Every statement that touches `pipeline_alerts`.

Several rows are locked in one order, channel and alert, so that two daemons never wait for each other. A claim is
taken on the row as it was read: a daemon that read first and claims second finds the row changed.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from psycopg import Connection

from entity_pipeline.shared.alerts.rules import SentAlert

CLAIM_LASTS = timedelta(minutes=2)
_KEPT = timedelta(days=90)

_SENT_BY = "select alert, true_at, sent_at, claimed_until from pipeline_alerts where channel = %s"
_CLAIM_NEW = """
insert into pipeline_alerts (alert, channel, true_at, claimed_until)
values (%(alert)s, %(channel)s, clock_timestamp(), clock_timestamp() + %(lasts)s)
on conflict (alert, channel) do nothing
returning alert
"""
_CLAIM_AGAIN = """
update pipeline_alerts
set true_at = clock_timestamp(), sent_at = null, claimed_until = clock_timestamp() + %(lasts)s
where alert = %(alert)s and channel = %(channel)s and sent_at is not distinct from %(sent_at)s
  and coalesce(claimed_until <= clock_timestamp(), true)
returning alert
"""
_NOTE_SENT = """
with these as (
  select alert, channel from pipeline_alerts where channel = %(channel)s and alert = any(%(alerts)s)
  order by channel, alert for update
)
update pipeline_alerts as a set sent_at = clock_timestamp(), claimed_until = null
from these where a.alert = these.alert and a.channel = these.channel
"""
_STILL_TRUE = """
with these as (
  select alert, channel from pipeline_alerts where channel = any(%(channels)s) and alert = any(%(alerts)s)
  order by channel, alert for update
)
update pipeline_alerts as a set true_at = clock_timestamp()
from these where a.alert = these.alert and a.channel = these.channel
"""
# Keys without a domain come from earlier releases; a migration has copied them.
_FORGET = """
delete from pipeline_alerts
where true_at < clock_timestamp() - %s or strpos(split_part(alert, ':', 1), '/') = 0
"""


def sent_by(connection: Connection, channel: str) -> dict[str, SentAlert]:
    """What is stored of every alert of a channel, by key."""
    return {row[0]: SentAlert(*row[1:]) for row in connection.execute(_SENT_BY, [channel])}


def claim(
    connection: Connection, channel: str, keys: Sequence[str], seen: Mapping[str, SentAlert]
) -> set[str]:
    """Claim alerts for `CLAIM_LASTS`; returns those that were claimed. `seen` is what the choice was made from."""
    ours = set()
    for key in keys:
        before = seen.get(key)
        statement = _CLAIM_AGAIN if before else _CLAIM_NEW
        values = {
            "alert": key,
            "channel": channel,
            "lasts": CLAIM_LASTS,
            "sent_at": before and before.sent_at,
        }
        if connection.execute(statement, values).fetchone():
            ours.add(key)
    return ours


def note_sent(connection: Connection, channel: str, keys: Sequence[str]) -> None:
    """Record that the alerts were sent, and end the claim."""
    connection.execute(_NOTE_SENT, {"channel": channel, "alerts": list(keys)})


def note_true(connection: Connection, channels: Sequence[str], keys: Sequence[str]) -> None:
    """Record that the alerts are still true, and delete those that have not been true for a long time."""
    connection.execute(_STILL_TRUE, {"channels": list(channels), "alerts": list(keys)})
    connection.execute(_FORGET, [_KEPT])
