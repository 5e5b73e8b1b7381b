"""`gemini_reviews`: each account's review, asked once and kept as it arrives."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from threading import Event
from typing import Literal
from uuid import UUID

import dagster as dg
from pydantic import Field

from entity_pipeline.core.gemini import GeminiAccess, Unanswered
from entity_pipeline.core.ledger import QuotaStatus
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.entities.assets.instagram_profiles import instagram_profiles
from entity_pipeline.domains.entities.assets.reporting import (
    GROUP,
    OWNERS,
    counts_table,
    green_when_finished,
    pending_by_cohort,
    rows_table,
)
from entity_pipeline.domains.entities.partitions import cohort_range, daily_partitions
from entity_pipeline.domains.entities.queries.enrichment import (
    cohort_progress,
    pending_reviews,
    review_samples,
    reviewed_accounts,
    status_counts,
)
from entity_pipeline.domains.entities.reviewing import (
    IN_FLIGHT,
    Done,
    Reviewer,
    Stopped,
    answered_by_other_model,
    limits_of,
)

STEP_LIMIT = timedelta(minutes=50)
# So many accounts without an answer, one after the other, mean that Gemini is down and not that they are odd.
OUTAGE_AFTER = 10
CLAIM_POLL_S = 1.0
MODEL_CHECK = "model_is_the_one_asked_for"
UNGROUNDED_CHECK = "few_reviews_are_ungrounded"
CAP_CHECK = "cap_is_not_near"


class ReviewConfig(dg.Config):
    """What one run may do."""

    limit: int = Field(
        default=10_000, ge=0, description="Most accounts reviewed in this run, most-tagged first."
    )
    refresh: Literal["none", "stale", "all"] = Field(
        default="none",
        description=(
            "none: only what is pending. stale: also reviews made from another prompt, schema, model or profile. "
            "all: every review again. Anything but none pays again."
        ),
    )
    dry_run: bool = Field(
        default=False, description="Only say how many accounts would be asked for; pay nothing."
    )


@dg.asset(
    name="gemini_reviews",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"gemini", "postgres"},
    deps=[instagram_profiles],
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    output_required=False,
    pool="gemini",
    check_specs=[
        dg.AssetCheckSpec(
            MODEL_CHECK,
            asset="gemini_reviews",
            blocking=True,
            description="Every reply names the configured model. Another one has another price and another quota.",
        ),
        dg.AssetCheckSpec(
            UNGROUNDED_CHECK,
            asset="gemini_reviews",
            description="At most a fifth of this run's reviews came without search results.",
        ),
        dg.AssetCheckSpec(
            CAP_CHECK,
            asset="gemini_reviews",
            description="Less than nine tenths of today's grounding cap are used.",
        ),
    ],
)
def gemini_reviews(
    context: dg.AssetExecutionContext,
    config: ReviewConfig,
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiAccess],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """What Gemini, with Google Search, says of each account of the cohort: names, type, role, region, country.

    **Reads** pending accounts of `instagram_accounts`, most-tagged first, and the ledger `gemini_usage_events`.
    **Writes** `metadata.entity_enrichment.gemini_review`, one account at a time, as the answers arrive.
    **A re-run** asks only for what is still pending; a paid reply that was not used yet is taken from the ledger.
    The partition turns green when no account of the cohort is pending.
    """
    cohorts = cohort_range(context.partition_keys)
    now = datetime.now(UTC)
    gate = settings.gate()
    with operation_db.connection() as connection:
        waiting = pending_reviews(connection, cohorts, now, config.limit)
        finished = reviewed_accounts(connection, cohorts, now) if config.refresh != "none" else []
    outcomes: Counter[str] = Counter()
    other_models: set[str] = set()
    would_be_asked = 0
    held_because = gate.reason if isinstance(gate, Closed) else ""
    quota: QuotaStatus | None = None
    if not isinstance(gate, Closed):
        gemini.sweep()
        stop = Event()
        reviewer = Reviewer(
            operation_db=operation_db,
            gemini=gemini,
            settings=gate.settings,
            run_id=context.run.run_id,
            refresh=config.refresh,
            stop=stop,
            deadline=now + STEP_LIMIT,
        )
        again = (account for account in finished if reviewer.wants(account))
        chosen = list(islice(chain(waiting, again), config.limit))
        if config.dry_run:
            would_be_asked = len(chosen)
        else:
            session = ReviewSession(reviewer, settings, gate.settings.concurrency)
            session.work_through(chosen)
            outcomes, other_models, held_because = (
                session.outcomes,
                session.other_models,
                session.held_because,
            )
        quota = gemini.quota(limits_of(gate.settings))
    with operation_db.connection() as connection:
        progress = cohort_progress(connection, cohorts, datetime.now(UTC))
        samples = review_samples(connection, cohorts)
        statuses = status_counts(connection, cohorts, "gemini_review", "status")
    if held_because:
        context.log.warning(f"Stopped before the end: {held_because}")
    metadata = {
        "accounts_done": sum(outcomes.values()),
        **({"would_be_asked": would_be_asked} if config.dry_run else {}),
        "accounts_pending": sum(item.reviews_pending for item in progress),
        "held_because": held_because or "nothing",
        "this_run": counts_table(outcomes),
        "all_of_the_cohorts": counts_table(statuses, "status"),
        "sample": rows_table(samples),
        **quota_metadata(quota),
    }
    ungrounded = sum(count for name, count in outcomes.items() if name.startswith("reviewed:ungrounded"))
    reviewed = sum(count for name, count in outcomes.items() if name.startswith("reviewed"))
    yield dg.AssetCheckResult(
        check_name=MODEL_CHECK,
        passed=not other_models,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"asked_for": gemini.model, "answered_by": ", ".join(sorted(other_models)) or gemini.model},
    )
    yield dg.AssetCheckResult(
        check_name=UNGROUNDED_CHECK,
        passed=ungrounded * 5 <= reviewed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"ungrounded": ungrounded, "reviewed": reviewed},
    )
    yield dg.AssetCheckResult(
        check_name=CAP_CHECK,
        passed=quota is None or (quota.used + quota.reserved) * 10 < quota.cap * 9,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=quota_metadata(quota),
    )
    pending = pending_by_cohort(progress, links=False)
    yield from green_when_finished(context, "gemini_reviews", pending, metadata)


class ReviewSession:
    """One step's work: some threads, the gate asked before each account, and one reason to stop."""

    def __init__(self, reviewer: Reviewer, settings: SettingsAccess, concurrency: int) -> None:
        self._reviewer = reviewer
        self._settings = settings
        self._stop = reviewer.stop
        self._concurrency = concurrency
        self._quota_is_used_up = False
        self._unavailable_in_a_row = 0
        self.outcomes: Counter[str] = Counter()
        self.other_models: set[str] = set()
        self.held_because = ""

    def work_through(self, accounts: list[UUID]) -> None:
        """Review the accounts in order until they, the quota or the time are used up.

        Accounts that another worker is asking for come again at the end: it may have died, and its claim then
        runs out. An interruption lets the requests that are on the wire come home first, so that nothing paid
        is lost.
        """
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="review") as threads:
            running: dict[Future[Done | Stopped], UUID] = {}
            try:
                while accounts and self._may_go_on():
                    claimed = self._once_through(accounts, threads, running)
                    if claimed and claimed == accounts:
                        self._stop.wait(CLAIM_POLL_S)
                    accounts = claimed
                if accounts:
                    self.outcomes["in_flight_elsewhere"] += len(accounts)
            finally:
                self._stop.set()
                for future in list(running):
                    self._note(future.result())

    def _once_through(
        self, accounts: list[UUID], threads: ThreadPoolExecutor, running: dict[Future[Done | Stopped], UUID]
    ) -> list[UUID]:
        """One pass; returns the accounts that another worker holds."""
        queue, claimed = iter(accounts), set()
        while not self._stop.is_set():
            while (
                len(running) < self._concurrency
                and self._may_go_on()
                and (account := next(queue, None)) is not None
            ):
                running[threads.submit(self._one, account)] = account
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                account = running.pop(future)
                result = future.result()
                if isinstance(result, Done) and result.outcome == IN_FLIGHT:
                    claimed.add(account)
                else:
                    self._note(result)
        return [account for account in accounts if account in claimed]

    def _may_go_on(self) -> bool:
        return not (self._stop.is_set() or self._quota_is_used_up)

    def _one(self, account: UUID) -> Done | Stopped:
        gate = self._settings.gate()
        if isinstance(gate, Closed):
            return Stopped(Unanswered.STOPPED, gate.reason, None)
        if datetime.now(UTC) >= self._reviewer.deadline:
            return Stopped(Unanswered.STOPPED, "The step's time is up; the next run goes on.", None)
        return self._reviewer.review(account)

    def _note(self, result: Done | Stopped) -> None:
        if isinstance(result, Stopped):
            # A used-up quota lets no new account in; what is paid for may still be repaired and written.
            if result.reason is Unanswered.STOPPED:
                self._stop.set()
            else:
                self._quota_is_used_up = True
            until = f" Next try: {result.retry_at:%Y-%m-%d %H:%M} UTC." if result.retry_at else ""
            self.held_because = self.held_because or f"{result.detail}{until}"
            return
        self.outcomes[result.outcome] += 1
        if answered_by_other_model(self._reviewer.gemini.model, result):
            self.other_models.add(str(result.model_version))
            self._stop.set()
            self.held_because = (
                f"Gemini answered with {result.model_version} in place of {self._reviewer.gemini.model}."
            )
        self._unavailable_in_a_row = self._unavailable_in_a_row + 1 if result.unavailable else 0
        if self._unavailable_in_a_row >= OUTAGE_AFTER:
            self._stop.set()
            self.held_because = f"{OUTAGE_AFTER} accounts in a row got no answer: Gemini seems to be down."


def quota_metadata(quota: QuotaStatus | None) -> dict[str, dg.MetadataValue]:
    """The ledger's day as metadata."""
    if quota is None:
        return {}
    return {
        "quota_day_pacific": dg.MetadataValue.text(quota.quota_day.isoformat()),
        "quota_used": dg.MetadataValue.int(quota.used),
        "quota_reserved": dg.MetadataValue.int(quota.reserved),
        "quota_remaining": dg.MetadataValue.int(quota.remaining),
        "quota_cap": dg.MetadataValue.int(quota.cap),
        "quota_resets_at": dg.MetadataValue.timestamp(quota.resets_at),
        "spent_today_usd": dg.MetadataValue.float(float(quota.spent_usd)),
    }
