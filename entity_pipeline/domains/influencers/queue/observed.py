"""What an observation of `scrape_tasks` shows."""

from datetime import UTC, datetime

import dagster as dg

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.reporting.metadata import rows_table


def state_of_the_queue(assets_db: Database) -> dict[str, dg.MetadataValue]:
    """Tasks by type and state, and since when the longest-waiting due task of each type is due."""
    counts = patiently_on(assets_db, STORE.counts)
    oldest = patiently_on(assets_db, STORE.oldest_due)
    now = datetime.now(UTC)
    waits = [
        {
            "task_type": kind,
            "due_since": minute_in_words(at),
            "minutes": int((now - at).total_seconds() // 60),
        }
        for kind, at in sorted(oldest.items())
    ]
    return {
        "tasks": rows_table([count._asdict() for count in counts]),
        "oldest_due": rows_table(waits),
    }
