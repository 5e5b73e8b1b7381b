"""The figures of all domains on the home page: a row per domain, the Instagram budget, alerts.

What counts as a backlog belongs to each domain's page. A figure that can't be read is None, and the others are still
shown.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

import dagster as dg
from pydantic import Field

from entity_pipeline.admin.backlogs import backlog_of
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.scheduler import SwitchState, switch_state
from entity_pipeline.admin.shell import MountedPage
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.resources.gemini.ledger_reading import spend_of_day
from entity_pipeline.shared.gemini_spend.by_domain import DomainSpend, spend_by_domain
from entity_pipeline.shared.runs.health import FailingJob, failing_jobs
from entity_pipeline.shared.runs.owners import RunOwners

T = TypeVar("T")
_RECENT = timedelta(days=1)


class DomainFigures(SwitchState):
    """One domain: its switch, its backlog, today's cost, and its failing jobs."""

    key: str
    path: str = Field(description="The path of its page.")
    backlog: int | None = Field(description="The number of waiting items; null when it can't be counted.")
    oldest: datetime | None = Field(description="The time since which the oldest item has waited.")
    spent_today_usd: Decimal | None = Field(
        description="Of the Pacific day; open requests count at their highest cost."
    )
    requests_today: int | None
    failing_jobs: list[str] | None = Field(
        description="Jobs that failed within 24 hours without a later success; null without Dagster's records."
    )


def domain_figures(at: Installation, pages: Sequence[MountedPage]) -> list[DomainFigures]:
    """One row per domain, in the order of the assembly.

    Raises:
        DatabaseUnavailable: the settings can't be read, so no switch can be shown.
    """
    spent = _known(lambda: _spent_today(at, pages, quota_day(datetime.now(UTC))))
    failing = at.dagster.asked(partial(_failing, at.automation.owners))
    return [_figures_of(at, mounted, spent, failing) for mounted in pages]


def _figures_of(
    at: Installation,
    mounted: MountedPage,
    spent: Mapping[str, DomainSpend] | None,
    failing: Sequence[FailingJob] | None,
) -> DomainFigures:
    settings = mounted.domain.settings
    backlog = backlog_of(mounted.page)
    cost = (spent or {}).get(mounted.key)
    return DomainFigures(
        key=mounted.key,
        path=mounted.path,
        **switch_state(at, settings, at.settings.row(settings)),
        backlog=None if backlog is None else backlog.waiting,
        oldest=None if backlog is None else backlog.oldest,
        spent_today_usd=None if cost is None else cost.today_usd,
        requests_today=None if cost is None else cost.requests_today,
        failing_jobs=None if failing is None else [one.job for one in failing if one.domain == mounted.key],
    )


def _spent_today(at: Installation, pages: Sequence[MountedPage], day: date) -> Mapping[str, DomainSpend]:
    domains = {mounted.domain.row: mounted.key for mounted in pages}
    found = spend_by_domain(spend_of_day(at.assets_db, day), day, domains, {})
    return {spend.domain: spend for spend in found}


def _failing(owners: RunOwners, instance: dg.DagsterInstance) -> Sequence[FailingJob]:
    return failing_jobs(instance, owners, datetime.now(UTC) - _RECENT)


def _known(ask: Callable[[], T]) -> T | None:
    with suppress(PipelineFailure):
        return ask()
    return None
