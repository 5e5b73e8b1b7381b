"""The table at the end of `demo` and `enrich`: the data, the work that was done, and why the rest was not."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.domains.entities.accounts.queries.enrichment import (
    cohort_progress,
    held_reasons,
    status_counts,
)
from entity_pipeline.domains.entities.cohorts import every_cohort
from entity_pipeline.domains.entities.commands.pipeline import NOTHING, Pipeline
from entity_pipeline.domains.entities.tags.queries.raw_posts import count_posts
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import count_tags


@dataclass(frozen=True)
class Summary:
    """Figures over everything in the two databases, and the calls since the command began."""

    posts: int
    tags: int
    tagged_accounts: int
    accounts: int
    reviews_pending: int
    profiles: Counter[str]
    reviews: Counter[str]
    decisions: Counter[str]
    held: Counter[str]
    calls: int
    grounded_calls: int
    quota: QuotaStatus


def summarise(stages: Pipeline) -> Summary:
    """Read all figures."""
    built: Any = stages.services
    now = datetime.now(UTC)
    cohorts = every_cohort(now)
    with built.assets_db.connection() as connection:
        posts = count_posts(connection)
        tags, tagged_accounts = count_tags(connection)
    with built.operation_db.connection() as connection:
        progress = cohort_progress(connection, cohorts, now)
        profiles = status_counts(connection, cohorts, "profile_backfill", "outcome")
        reviews = status_counts(connection, cohorts, "gemini_review", "status")
        decisions = status_counts(connection, cohorts, "catalog_link", "status", "no decision")
        held = held_reasons(connection, cohorts)
    calls, grounded_calls = built.gemini.ledger.count_sent(stages.started_at)
    return Summary(
        posts=posts,
        tags=tags,
        tagged_accounts=tagged_accounts,
        accounts=sum(item.accounts for item in progress),
        reviews_pending=sum(item.reviews_pending for item in progress),
        profiles=Counter(profiles),
        reviews=Counter(reviews),
        decisions=Counter(decisions),
        held=Counter(held),
        calls=calls,
        grounded_calls=grounded_calls,
        quota=built.gemini.quota(),
    )


def print_summary(console: Console, stages: Pipeline) -> Summary:
    """Print the table; returns its figures."""
    summary = summarise(stages)
    table = Table("stage", "what", "count", title="Pipeline", title_justify="left")
    for stage, what, count in _rows(summary):
        table.add_row(stage, what, f"{count:,}")
    console.print(table)
    quota = summary.quota
    console.print(
        f"Calls to Gemini since the command began: {summary.calls}. Pacific day {quota.quota_day}: "
        f"{quota.used} of {quota.cap} grounded requests, {quota.spent_usd:.4f} USD."
    )
    if stages.reviews_held_because != NOTHING:
        console.print(f"Reviews stopped before the end: {stages.reviews_held_because}")
    if quota.cap_reached:
        console.print(f"The cap is reached; it opens again at {minute_in_words(quota.resets_at)}.")
    if summary.reviews_pending:
        one = summary.reviews_pending == 1
        waiting = "account still waits" if one else "accounts still wait"
        console.print(f"{summary.reviews_pending} {waiting} for a review.")
    return summary


_WORDS = {
    ("profiles", "pending"): "not fetched yet",
    ("profiles", "not_found"): "not found once, not confirmed yet",
    ("links", "pending"): "no decision, because there is no review",
}


def in_words(stage: str, value: str) -> str:
    """A stored status or outcome in plain words."""
    return _WORDS.get((stage, value), value)


def _rows(summary: Summary) -> list[tuple[str, str, int]]:
    rows = [
        ("posts", "collected", summary.posts),
        ("tags", "of an account in a post", summary.tags),
        ("accounts", "tagged", summary.tagged_accounts),
        ("accounts", "in the catalog database", summary.accounts),
    ]
    for stage, counts in (
        ("profiles", summary.profiles),
        ("reviews", summary.reviews),
        ("links", summary.decisions),
        ("held because", summary.held),
    ):
        rows += [(stage, in_words(stage, name), count) for name, count in counts.most_common()]
    return rows
