"""Alerts about what all domains share: Gemini, the Instagram pool, the row `notify`, and runs.

To add a source, write a function here and name it in `SHARED_SOURCES`. All sources but those about runs are called only
while the gate of at least one domain is open, because until then the rest waits for a person anyway.
"""

from collections.abc import Sequence

from entity_pipeline.core.alerts import AlertSource
from entity_pipeline.shared.alerts.sources import gemini, instagram, notify, runs

SHARED_SOURCES: Sequence[AlertSource] = (
    gemini.quota_alerts,
    gemini.reply_alerts,
    gemini.model_alerts,
    instagram.pool_alerts,
    notify.settings_alerts,
)

__all__ = ["SHARED_SOURCES", "gemini", "instagram", "notify", "runs"]
