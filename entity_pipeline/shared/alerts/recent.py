"""The most recent alerts, for the administration page. When alerts are sent belongs to `sensor.py`."""

from dataclasses import dataclass
from datetime import datetime

from entity_pipeline.core.ports import Database

_RECENT = """
select alert, max(true_at), max(sent_at) from pipeline_alerts where strpos(split_part(alert, ':', 1), '/') > 0
group by alert order by max(true_at) desc, alert limit %s
"""


@dataclass(frozen=True, slots=True)
class RecentAlert:
    """An alert by its key, when it was last true, and when it was last sent by any channel."""

    key: str
    true_at: datetime
    sent_at: datetime | None


def recent_alerts(assets_db: Database, limit: int) -> list[RecentAlert]:
    """The newest first. Only alerts for which a channel is configured are remembered."""
    with assets_db.connection() as connection:
        return [RecentAlert(*row) for row in connection.execute(_RECENT, [limit])]
