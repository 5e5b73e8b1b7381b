"""The alert about the row `notify` itself."""

from collections.abc import Iterator, Mapping

from entity_pipeline.core.alerts import Alert, Look
from entity_pipeline.core.notifications import NotifySettings, notify_settings

WHAT_TO_DO: Mapping[str, str] = {
    "settings_unreadable": "Correct the keys with `entity-pipeline settings set notify`; until then the defaults apply."
}


def settings_alerts(look: Look) -> Iterator[Alert]:
    """Keys of the row that are unknown or have an invalid value. Their values are not repeated: they may be secrets."""
    row = look.settings.row(NotifySettings)
    _, unreadable = notify_settings(None if row is None else row.settings)
    if unreadable:
        keys = ", ".join(key[:60] for key in unreadable[:10])
        says = f"These settings of notify can't be used: {keys}."
        yield Alert("notify/settings_unreadable", says, WHAT_TO_DO["settings_unreadable"])
