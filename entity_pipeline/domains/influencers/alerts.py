"""Alerts of the domain: work that waits too long, fails often or is stuck, and batches that do not end."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from entity_pipeline.core.alerts import Alert, Look
from entity_pipeline.core.gemini.batch import OVERDUE
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.queries.recent_ends import (
    RecentEnds,
    lapsed_leases,
    recent_ends,
)
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Failure, Outcome
from entity_pipeline.shared.alerts.sources.runs import silence_of
from entity_pipeline.shared.instagram_pool import pool_states
from entity_pipeline.shared.tasks.store import WaitingBatch

SENSOR = "influencers_queue_sensor"
# Of fewer, a share says nothing.
LEAST_ENDED = 10
TOO_MANY = 0.3
STUCK_FOR = timedelta(hours=1)
RESTED_ENOUGH = timedelta(hours=6)
_RECENT = timedelta(days=1)
_ASKS_INSTAGRAM = frozenset({TaskType.FULL_SCRAPE, TaskType.DISCOVER})

WHAT_TO_DO: Mapping[str, str] = {
    "tasks_old": "See on the page what the queue waits for: the Instagram budget, accounts that rest, or too few "
    "tasks per run.",
    "tasks_failed": "Read the errors of the failed tasks on the page, remove their cause and try them again.",
    "leases_lost": "Check that influencers_recover_tasks_schedule is on in the Dagster UI.",
    "batch_overdue": "Nothing at once: influencers_retry_stale_batches_schedule cancels it and collects what was "
    "answered. If it stays open, read that job's last run.",
    "no_account": "Add an account with `entity-pipeline instagram pool add`; posts and reels need one.",
    "all_cooling": "Wait until the accounts have rested. If it happens often, add accounts or lower the windows.",
    "insights_refused": "Read some of the refusals on the page. Refused blogs stay without insights.",
    "insights_unreadable": "Read the errors of the failed tasks, and compare insights_model with its answers in the "
    "ledger.",
}


def influencer_alerts(look: Look) -> Iterator[Alert]:
    """The alerts that are true while the domain is switched on."""
    with look.assets_db.connection() as connection:
        due, batches = STORE.oldest_due(connection), STORE.batches(connection)
        stuck = lapsed_leases(connection, STUCK_FOR)
        scrapes = recent_ends(connection, TaskType.FULL_SCRAPE, look.now - _RECENT)
        insights = recent_ends(connection, TaskType.AI_ANALYSIS, look.now - _RECENT)
        pool = pool_states(connection)
    if due:
        yield from _old(min(due.values()), look)
        yield from silence_of(KEY, SENSOR, "tasks are due", look)
    if stuck:
        says = f"{stuck:,} tasks are held by workers that have been gone for more than an hour."
        yield _alert("leases_lost", says)
    asked = [since for kind, since in due.items() if kind in _ASKS_INSTAGRAM]
    if asked:
        yield from _pool(pool, look.now - min(asked))
    yield from _batches(batches, look.now)
    if _too_many(scrapes.failed, scrapes):
        yield _alert(
            "tasks_failed", f"{scrapes.failed} of the last {scrapes.ended} scrapes failed within a day."
        )
    yield from _insights(insights)


def _old(oldest: datetime, look: Look) -> Iterator[Alert]:
    age = look.now - oldest
    if age > timedelta(hours=look.limits.backlog_hours):
        days = age / timedelta(days=1)
        yield _alert("tasks_old", f"The task that has waited longest has been due for {days:.1f} days.")


def _pool(pool: Mapping[str, int], waited: timedelta) -> Iterator[Alert]:
    """Scrapes are due, and no account can make them. Accounts without a session are an alert of the pool itself."""
    if not pool.keys() - {"disabled"}:
        yield _alert("no_account", "Scrapes are due, and the Instagram pool has no account.")
    elif not pool.get("active") and pool.get("cooling") and waited > RESTED_ENOUGH:
        says = f"All {pool['cooling']} usable Instagram accounts rest, and scrapes have been due for hours."
        yield _alert("all_cooling", says)


def _batches(batches: list[WaitingBatch], now: datetime) -> Iterator[Alert]:
    late = [now - batch.since for batch in batches if now - batch.since > OVERDUE]
    if late:
        longest = max(late) / timedelta(hours=1)
        says = f"Batches that have been open for more than 26 hours: {len(late)}, the longest for {longest:.0f} hours."
        yield _alert("batch_overdue", says)


def _insights(ends: RecentEnds) -> Iterator[Alert]:
    for kind, outcome, verb in (
        ("insights_refused", Outcome.REFUSED, "refused to describe"),
        ("insights_unreadable", Failure.UNREADABLE, "gave no readable answer about"),
    ):
        if _too_many(ends.of(outcome), ends):
            yield _alert(
                kind, f"Gemini {verb} {ends.of(outcome)} of the last {ends.ended} blogs within a day."
            )


def _too_many(count: int, ends: RecentEnds) -> bool:
    return ends.ended >= LEAST_ENDED and count > TOO_MANY * ends.ended


def _alert(kind: str, says: str) -> Alert:
    return Alert(f"{KEY}/{kind}", says, WHAT_TO_DO[kind])
