"""An alert as a value, and the form of a function that raises alerts.

When an alert is sent, repeated or counted as recovered does not belong here (see `shared/alerts`), nor do the facts
of one domain: each domain and each shared service has a source of its own.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import DomainSettings, SettingsAccess

_KEY = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*(:.+)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that people should know about, and what they can do about it.

    `key` is its identity, `domain/kind` or `domain/kind:subject`: the same key is the same alert, and its prefix
    keeps two domains from silencing each other. `page` is a path of the administration page, and None stands for
    the page of its domain; `run_id` is a Dagster run to look at instead. Neither sentence may hold a secret, an
    account, an address or the text of an error.
    """

    key: str
    says: str
    what_to_do: str
    run_id: str | None = None
    page: str | None = None

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"the key of an alert must look like domain/kind:subject, and not {self.key!r}")

    @property
    def domain(self) -> str:
        """The owner of the alert: the key of a domain, or the name of a shared service."""
        return self.key.partition("/")[0]

    @property
    def kind(self) -> str:
        """The kind of alert, such as `backlog_old`."""
        return self.key.partition("/")[2].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Look:
    """What a source may look at.

    Attributes:
        now: the time on the clock of the assets database.
        limits: the row `notify`; a key that can't be read has its default.
        open_domains: the settings of each domain whose gate is open, by the domain's key.
        decided_at: when the schedule of that name last made a decision, including the decision to wait; for a schedule
            that never did, the time since which it has been watched.
    """

    now: datetime
    limits: NotifySettings
    open_domains: Mapping[str, DomainSettings]
    assets_db: Database
    operation_db: Database
    settings: SettingsAccess
    gemini: GeminiAccess
    decided_at: Callable[[str], datetime]


class AlertSource(Protocol):
    """A function that yields every alert that is true now, whether or not it was sent before.

    It is called every minute, so it reads few rows. An exception becomes a sentence on the sensor's tick; the alerts
    it yielded before that still count, as do those of all other sources. A domain's source is called only while the
    gate of the domain is open.
    """

    def __call__(self, look: Look, /) -> Iterable[Alert]:
        """The alerts that are true now."""
