"""The rows of `pipeline_settings` that apply to every domain. A domain's own row is named by its `Domain.settings`."""

from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import SettingsModel

SHARED_ROWS: tuple[type[SettingsModel], ...] = (GeminiSettings, InstagramSettings, NotifySettings)
