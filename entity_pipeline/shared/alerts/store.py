"""Every statement that touches `pipeline_alerts`, and what alerts look at in other tables.

Several rows are locked in one order, channel and alert, so that two daemons never wait for each other.
Surprising: a claim is taken on the row as it was read. Whoever reads first and comes second finds it changed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from psycopg import Connection

from entity_pipeline.shared.alerts.rules import Pool, Told, Waiting

CLAIM_LASTS = timedelta(minutes=2)
_KEPT = timedelta(days=90)

_TOLD = "select alert, true_at, sent_at, claimed_until from pipeline_alerts where channel = %s"
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
_SENT = """
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
_FORGET = "delete from pipeline_alerts where true_at < clock_timestamp() - %s"

_WAITING = (
    "select count(*)::int, min(created_at) from enrichment_queue where state in ('pending', 'deferred')"
)
# One that cools comes back by itself; one whose route a person disabled does not.
_POOL = """
select count(*)::int, (count(*) filter (where a.state in ('active', 'cooling') and r.state <> 'disabled'))::int
from instagram_pool_accounts a join instagram_routes r on r.name = a.route
where a.state <> 'disabled'
"""


def told_by(connection: Connection, channel: str) -> dict[str, Told]:
    """What is stored of every alert of a channel, by key."""
    return {row[0]: Told(*row[1:]) for row in connection.execute(_TOLD, [channel])}


def claim(connection: Connection, channel: str, keys: Sequence[str], told: Mapping[str, Told]) -> set[str]:
    """Those of the alerts that are ours to send within `CLAIM_LASTS`; `told` is what the choice was made from."""
    ours = set()
    for key in keys:
        seen = told.get(key)
        statement = _CLAIM_AGAIN if seen else _CLAIM_NEW
        values = {"alert": key, "channel": channel, "lasts": CLAIM_LASTS, "sent_at": seen and seen.sent_at}
        if connection.execute(statement, values).fetchone():
            ours.add(key)
    return ours


def note_sent(connection: Connection, channel: str, keys: Sequence[str]) -> None:
    """They were sent; the claim ends."""
    connection.execute(_SENT, {"channel": channel, "alerts": list(keys)})


def note_true(connection: Connection, channels: Sequence[str], keys: Sequence[str]) -> None:
    """They are true still; what was not true for a long time is forgotten."""
    connection.execute(_STILL_TRUE, {"channels": list(channels), "alerts": list(keys)})
    connection.execute(_FORGET, [_KEPT])


def waiting_accounts(connection: Connection) -> Waiting:
    """How many accounts wait for a review, due or put off, and since when the oldest does."""
    row = connection.execute(_WAITING).fetchone()
    assert row is not None
    return Waiting(*row)


def pool(connection: Connection) -> Pool:
    """The operator's Instagram accounts."""
    row = connection.execute(_POOL).fetchone()
    assert row is not None
    return Pool(*row)


def database_now(connection: Connection) -> datetime:
    """The clock that `pipeline_alerts` goes by."""
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    at: datetime = row[0]
    return at
