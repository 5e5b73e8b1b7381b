"""The parts of the home page: domains, Gemini's quota, the Instagram budget, the last alerts, the system status."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from entity_pipeline.admin.dagster_figures import DagsterFigures
from entity_pipeline.admin.gemini_part import quota_part
from entity_pipeline.admin.health import Health
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.overview import domain_figures
from entity_pipeline.admin.parts import PagePart
from entity_pipeline.admin.shell import Shell
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.resources.instagram.pool import PoolRoute, routes
from entity_pipeline.resources.instagram.usage import PoolUsage, pool_usage
from entity_pipeline.shared.alerts.recent import recent_alerts

MOST_ALERTS = 8
# The alerts sensor runs every minute.
_STILL_TRUE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Window:
    """One window of the Instagram budget: the requests made, and those that all routes together allow."""

    name: str
    used: int
    allowed: int


@dataclass(frozen=True, slots=True)
class DomainPart:
    """What one domain asked of Instagram in 24 hours, and its part of the windows; None without a share of its own."""

    domain: str
    used: int
    share: float | None


@dataclass(frozen=True, slots=True)
class InstagramShown:
    """The pool, its windows, the domains that use them, and the routes."""

    pool: PoolUsage
    windows: Sequence[Window]
    domains: Sequence[DomainPart]
    is_acknowledged: bool
    routes: Sequence[PoolRoute]


@dataclass(frozen=True, slots=True)
class AlertShown:
    """An alert by the parts of its key, and the page of its domain."""

    domain: str
    kind: str
    subject: str
    path: str | None
    true_at: datetime
    is_true: bool


@dataclass(frozen=True, slots=True)
class SystemShown:
    """The system status, and shared ticks and runs of Dagster."""

    health: Health
    dagster: DagsterFigures


def home_parts(shell: Shell) -> Sequence[PagePart]:
    """The parts, in order."""
    at = shell.installation
    return (
        PagePart(
            key="domains",
            title="domains",
            template="domains.html",
            read=lambda _: domain_figures(at, shell.pages),
            refresh_s=15,
            is_wide=True,
        ),
        quota_part(at, shell.figures.searches),
        PagePart(
            key="instagram",
            title="instagram",
            template="instagram.html",
            read=lambda _: _instagram(at, shell),
        ),
        PagePart(
            key="alerts",
            title="alerts",
            template="alerts.html",
            read=lambda _: _alerts(shell),
        ),
        PagePart(key="system", title="system", template="system.html", read=lambda _: _system(shell)),
    )


def _instagram(at: Installation, shell: Shell) -> InstagramShown:
    settings, pool = at.settings.readable(InstagramSettings), pool_usage(at.assets_db)
    hour, day = settings.windows.per_hour, settings.windows.per_day
    windows = [
        Window("hour", pool.last_hour, hour * pool.routes),
        Window("day", pool.last_day, day * pool.routes),
    ]
    keys = dict.fromkeys([*(mounted.key for mounted in shell.pages), *pool.by_domain])
    domains = [DomainPart(key, pool.by_domain.get(key, 0), settings.shares.get(key)) for key in keys]
    with at.assets_db.connection() as connection:
        ways = routes(connection, datetime.now(UTC))
    return InstagramShown(pool, windows, domains, settings.terms_acknowledged, ways)


def _alerts(shell: Shell) -> Sequence[AlertShown]:
    paths = {mounted.key: mounted.path for mounted in shell.pages}
    now = datetime.now(UTC)
    found = []
    for alert in recent_alerts(shell.installation.assets_db, MOST_ALERTS):
        domain, _, rest = alert.key.partition("/")
        kind, _, subject = rest.partition(":")
        is_true = now - alert.true_at < _STILL_TRUE
        found.append(AlertShown(domain, kind, subject, paths.get(domain), alert.true_at, is_true))
    return found


def _system(shell: Shell) -> SystemShown:
    at = shell.installation
    dagster = at.dagster.figures()
    shared = [tick for tick in dagster.ticks if at.automation.is_shared(tick.name)]
    return SystemShown(shell.figures.health(), dagster.model_copy(update={"ticks": shared}))
