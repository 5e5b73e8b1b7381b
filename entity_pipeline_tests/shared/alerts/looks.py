"""A `Look` for tests of sources, empty by default."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from entity_pipeline.core.alerts import Look
from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import DomainSettings, Open
from entity_pipeline_tests.fakes.gemini import FakeGemini
from entity_pipeline_tests.fakes.settings import FakeSettings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AWAY = "PostgreSQL at db:5432/x can't be reached."


class Away:
    """A database that can't be reached."""

    def connection(self) -> Any:
        raise DatabaseUnavailable(AWAY)


class OneDomain(DomainSettings):
    """Settings of a made-up domain."""

    row = "one_domain"


def look(**given: Any) -> Look:
    """The arguments of `Look`; databases are away."""
    open_domains: Mapping[str, DomainSettings] = {"one_domain": OneDomain()}
    values: dict[str, Any] = {
        "now": NOW,
        "limits": NotifySettings(),
        "open_domains": open_domains,
        "assets_db": Away(),
        "operation_db": Away(),
        "settings": FakeSettings(Open(OneDomain())),
        "gemini": FakeGemini(model=DEFAULT_MODEL),
        "decided_at": lambda _: NOW,
    }
    return Look(**(values | given))
