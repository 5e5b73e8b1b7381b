"""Checks for `doctor`: whether the queue is worked on, can ask Instagram, and may describe blogs.

Problems that stop runs do not belong here; see `schema.py`.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.findings import Finding
from entity_pipeline.core.gemini.batch import OVERDUE
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.ports import Databases
from entity_pipeline.core.settings import Closed
from entity_pipeline.domains.influencers.alerts import SENSOR, STUCK_FOR
from entity_pipeline.domains.influencers.queue.queries.recent_ends import lapsed_leases
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.instagram_pool import pool_states

WAITED_LONG = timedelta(days=1)


def queue_is_worked_on(databases: Databases) -> Iterator[Finding]:
    """Warn about due tasks that nothing takes, leases that nothing puts back, and batches that do not end."""
    now = datetime.now(UTC)
    with databases.assets.connection() as connection:
        due, batches = STORE.oldest_due(connection), STORE.batches(connection)
        stuck = lapsed_leases(connection, STUCK_FOR)
    oldest = min(due.values(), default=now)
    if now - oldest > WAITED_LONG:
        yield Finding(
            "warn",
            f"assets: a task has been due since {minute_in_words(oldest)}; check that Dagster's "
            f"daemon runs, that {SENSOR} is on, and that Instagram accounts are usable.",
        )
    if stuck:
        yield Finding(
            "warn",
            f"assets: {stuck} tasks are held by workers that are gone; check that "
            "influencers_recover_tasks_schedule is on.",
        )
    late = sum(now - batch.since > OVERDUE for batch in batches)
    if late:
        yield Finding("warn", f"assets: batches that have been open for more than 26 hours: {late}.")
    if not stuck and not late and now - oldest <= WAITED_LONG:
        yield Finding("ok", "No task has been due for a day, and no batch is overdue.")


def accounts_can_scrape(databases: Databases) -> Iterator[Finding]:
    """Report whether an account of the pool can ask for posts."""
    instagram = databases.settings.gate(InstagramSettings)
    if isinstance(instagram, Closed):
        yield Finding("warn", f"Scrapes wait: {instagram.reason}")
        return
    with databases.assets.connection() as connection:
        pool = pool_states(connection)
    usable = pool.get("active", 0) + pool.get("cooling", 0)
    if usable:
        where = os.environ.get("INSTAGRAM_BASE_URL") or "Instagram"
        yield Finding("ok", f"Accounts that can ask {where} for posts: {usable}.")
    else:
        yield Finding(
            "warn",
            "No account of the Instagram pool is usable, so no blog is scraped: add one with "
            "`entity-pipeline instagram pool add`.",
        )


def insights_are_ready(databases: Databases) -> Iterator[Finding]:
    """Report whether blogs are described."""
    if not databases.settings.readable(InfluencerSettings).insights_enabled:
        yield Finding("ok", "Insights are switched off; blogs are scraped and measured without them.")
        return
    gemini = databases.settings.gate(GeminiSettings)
    if isinstance(gemini, Closed):
        yield Finding("warn", f"Insights wait: {gemini.reason}")
    else:
        yield Finding("ok", "Insights are switched on.")


CHECKS = (queue_is_worked_on, accounts_can_scrape, insights_are_ready)
