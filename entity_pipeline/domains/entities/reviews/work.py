"""A run of `gemini_reviews`: which accounts are reviewed, the reviews, and the report."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, islice
from threading import Event
from typing import Any
from uuid import UUID

import dagster as dg

from entity_pipeline.core.clock import read_utc
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.entities.accounts.enrichment_queue import QueueKeeper, correct
from entity_pipeline.domains.entities.accounts.queries.backlog import listed_reviews
from entity_pipeline.domains.entities.accounts.queries.enrichment import (
    CohortProgress,
    CohortRange,
    cohort_progress,
    pending_reviews,
    review_samples,
    reviewed_accounts,
    status_counts,
)
from entity_pipeline.domains.entities.cohorts import cohort_range, pending_by_cohort
from entity_pipeline.domains.entities.reviews.asset import (
    CAP_CHECK,
    MODEL_CHECK,
    UNGROUNDED_CHECK,
    ReviewConfig,
)
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.reviews.review import WORDS, Reviewer
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.trials import LINKS, REVIEWS
from entity_pipeline.shared.database.trial_writes import require
from entity_pipeline.shared.reporting.charts import AMBER, GREEN, GREY, RED, bars_by_name
from entity_pipeline.shared.reporting.metadata import (
    counts_table,
    drawn,
    quota_metadata,
    refused_metadata,
    rows_table,
)
from entity_pipeline.shared.reporting.partitions import green_when_finished
from entity_pipeline.shared.runs.gate import open_settings
from entity_pipeline.shared.runs.workers import Workers, gated_jobs

STEP_LIMIT = timedelta(minutes=50)
_COLOURS = {"reviewed": GREEN, "failed": RED, "deferred": AMBER}


def review_cohorts(
    context: dg.AssetExecutionContext,
    config: ReviewConfig,
    *,
    assets_db: Database,
    operation_db: Database,
    settings: SettingsAccess,
    gemini: GeminiAccess,
    tracing: Tracing,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Review the pending accounts of the run's cohorts, and those that a refresh repeats."""
    open_settings(settings, EntitySettings)
    cohorts = cohort_range(context.partition_keys)
    now = datetime.now(UTC)
    candidates = _candidates(operation_db, cohorts, config, now)
    patiently(
        lambda: correct(
            operation_db,
            assets_db,
            partial(listed_reviews, cohorts=cohorts, now=now, limit=config.limit),
            candidates.waiting,
        )
    )
    with tracing.step("gemini_reviews"), QueueKeeper(operation_db, assets_db) as keeper:
        reviewer = Reviewer(
            assets_db=assets_db,
            operation_db=operation_db,
            gemini=gemini,
            run_id=context.run.run_id,
            refresh=config.refresh,
            stop=Event(),
            deadline=datetime.now(UTC) + STEP_LIMIT,
            since=read_utc(config.since),
            note=keeper.note,
        )
        work = _work(reviewer, config, candidates, settings)
    if work.held_because:
        context.log.warning(f"Stopped before the end: {work.held_because}")
    progress, report = patiently_on(operation_db, lambda database: _report(database, cohorts))
    metadata = {
        "accounts_done": sum(work.outcomes.values()),
        **({"would_be_asked": work.would_be_asked} if config.dry_run else {}),
        "accounts_pending": sum(item.reviews_pending for item in progress),
        "held_because": work.held_because or "nothing",
        **refused_metadata(reviewer.refused),
        "this_run": counts_table(work.outcomes),
        **report,
        **quota_metadata(work.quota),
    }
    yield from _check_results(work, gemini.model)
    pending = pending_by_cohort(progress, links=False)
    yield from green_when_finished(context, "gemini_reviews", pending, metadata)


def _report(
    connection: Any, cohorts: CohortRange
) -> tuple[list[CohortProgress], dict[str, dg.MetadataValue]]:
    statuses = status_counts(connection, cohorts, "gemini_review", "status")
    return cohort_progress(connection, cohorts, datetime.now(UTC)), {
        "reviews_picture": drawn(
            bars_by_name("Accounts of the cohorts by review", _bars(statuses)),
            "Accounts of the cohorts by the state of their review",
        ),
        "all_of_the_cohorts": counts_table(statuses, "status"),
        "sample": rows_table(review_samples(connection, cohorts)),
    }


def _bars(statuses: Mapping[str, int]) -> list[tuple[str, int, str]]:
    return [(status, count, _COLOURS.get(status, GREY)) for status, count in statuses.items()]


@dataclass(frozen=True)
class _Candidates:
    """The accounts to review: pending ones, and finished ones that a refresh may repeat."""

    waiting: Sequence[UUID]
    finished: Sequence[UUID]


def _candidates(
    operation_db: Database, cohorts: CohortRange, config: ReviewConfig, now: datetime
) -> _Candidates:
    statuses = ("failed",) if config.refresh == "failed" else ("reviewed", "failed")
    return _Candidates(
        patiently_on(operation_db, lambda database: pending_reviews(database, cohorts, now, config.limit)),
        patiently_on(
            operation_db, lambda database: reviewed_accounts(database, cohorts, now, statuses=statuses)
        )
        if config.refresh != "none"
        else [],
    )


@dataclass(frozen=True)
class _ReviewWork:
    """The results of one run. `quota` is None if the gate was closed and the ledger was not read."""

    outcomes: Counter[str] = field(default_factory=Counter)
    held_because: str = ""
    would_be_asked: int = 0
    quota: QuotaStatus | None = None


def _work(
    reviewer: Reviewer, config: ReviewConfig, candidates: _Candidates, settings: SettingsAccess
) -> _ReviewWork:
    gate = patiently(partial(settings.gate, EntitySettings))
    if isinstance(gate, Closed):
        return _ReviewWork(held_because=str(gate.reason))
    patiently(reviewer.gemini.sweep)
    again = (account for account in candidates.finished if reviewer.wants(account))
    chosen = list(islice(chain(candidates.waiting, again), config.limit))
    quota = partial(reviewer.gemini.quota, STEP)
    if config.dry_run:
        return _ReviewWork(would_be_asked=len(chosen), quota=patiently(quota))
    if chosen:  # before anything is paid
        patiently_on(reviewer.operation_db, partial(require, trials=(*REVIEWS, *LINKS)))
    workers = Workers(reviewer.stop, gate.settings.concurrency, WORDS)
    workers.work_through(
        gated_jobs(
            chosen, reviewer.review, settings, EntitySettings, stop=reviewer.stop, deadline=reviewer.deadline
        )
    )
    return _ReviewWork(outcomes=workers.outcomes, held_because=workers.held_because, quota=patiently(quota))


def _check_results(work: _ReviewWork, model: str) -> Iterator[dg.AssetCheckResult]:
    ungrounded = sum(count for name, count in work.outcomes.items() if name.startswith("reviewed:ungrounded"))
    reviewed = sum(count for name, count in work.outcomes.items() if name.startswith("reviewed"))
    quota = work.quota
    yield dg.AssetCheckResult(
        check_name=MODEL_CHECK,
        passed=quota is None or not quota.is_replaced,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{model} was asked and {(quota and quota.answered_by) or model} answers.",
        metadata={"asked_for": model, "answered_by": (quota and quota.answered_by) or model},
    )
    yield dg.AssetCheckResult(
        check_name=UNGROUNDED_CHECK,
        passed=ungrounded * 5 <= reviewed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{ungrounded} of {reviewed} reviews of this run came without search results.",
        metadata={"ungrounded": ungrounded, "reviewed": reviewed},
    )
    yield dg.AssetCheckResult(
        check_name=CAP_CHECK,
        passed=quota is None or (quota.used + quota.reserved) * 10 < quota.cap * 9,
        severity=dg.AssetCheckSeverity.WARN,
        description="The ledger was not read."
        if quota is None
        else f"{quota.used + quota.reserved} of {quota.cap} are used or reserved today.",
        metadata=quota_metadata(quota),
    )
