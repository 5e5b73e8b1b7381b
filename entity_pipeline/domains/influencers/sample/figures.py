"""What the databases, the request log, the ledger and the stand-ins say at the end of the demo."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table

from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.usage import TokenUsage, token_cost_usd
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.sample.expected import naive_requests_of, requests_of
from entity_pipeline.domains.influencers.sample.truth import bloggers
from entity_pipeline.sandbox.sample import Demo, requests_seen
from entity_pipeline.shared.gemini_spend.requests import costs_of

_BLOGS = """
select b.username, b.scrape_status, b.er, b.er_reels, b.er_trend, b.posts_per_week, b.ai_insights, b.insights_meta,
  p.posts, p.hidden, p.invented, p.without_plays,
  (select count(*) from blog_highlights h where h.blog_id = b.id) as highlights,
  (select c.code from blog_categories bc join categories c on c.id = bc.category_id
   where bc.blog_id = b.id and bc.is_primary) as category,
  scrape.outcome as scrape_outcome, analysis.outcome as insights_outcome
from blogs b
left join lateral (
  select count(*) as posts, count(*) filter (where likes_hidden) as hidden,
    count(*) filter (where likes_hidden and like_count is not null) as invented,
    count(*) filter (where product_type = 'clips' and play_count is null) as without_plays
  from blog_posts where blog_id = b.id
) p on true
left join lateral (
  select outcome from scrape_tasks where blog_id = b.id and task_type = 'full_scrape' order by id desc limit 1
) scrape on true
left join lateral (
  select outcome from scrape_tasks where blog_id = b.id and task_type = 'ai_analysis' order by id desc limit 1
) analysis on true
"""
_TASKS = "select task_type, status, coalesce(outcome, ''), count(*) from scrape_tasks group by 1, 2, 3"
_DISCOVERIES = "select hashtag, posts, people, known, refused, added from hashtag_discoveries"
_LOGGED = "select count(*) from instagram_request_log where domain = %s and requested_at >= %s"


@dataclass(frozen=True)
class Figures:
    """`requests` are those of this run at the Instagram stand-in, `logged` those of the pool's log.

    `billed` is what the Gemini stand-in billed since it started, by the ledger's id; `ledger` has state and cost of
    each row.
    """

    blogs: Mapping[str, Mapping[str, Any]]
    tasks: Counter[tuple[str, str, str]]
    discoveries: Mapping[str, Mapping[str, int]]
    requests: int
    logged: int
    billed: Mapping[str, Decimal]
    ledger: Mapping[str, tuple[str, Decimal]]

    @property
    def statuses(self) -> Counter[str]:
        """Blogs by status."""
        return Counter(row["scrape_status"] for row in self.blogs.values())

    def total(self, column: str) -> int:
        """The sum of a column over all blogs."""
        return sum(row[column] for row in self.blogs.values())


def read_figures(demo: Demo, seen_before: Mapping[str, Any], began_at: datetime) -> Figures:
    """Read all figures."""
    from psycopg.rows import dict_row

    with demo.services.assets_db.connection() as connection, connection.cursor(row_factory=dict_row) as rows:
        blogs = {row["username"]: row for row in rows.execute(_BLOGS)}
        discoveries = {row.pop("hashtag"): row for row in rows.execute(_DISCOVERIES)}
        tasks = Counter({tuple(row): count for *row, count in connection.execute(_TASKS)})
        logged = connection.execute(_LOGGED, [KEY, began_at]).fetchone()[0]
        ledger = costs_of(connection, KEY)
    seen = requests_seen(os.environ["INSTAGRAM_BASE_URL"])
    return Figures(
        blogs=blogs,
        tasks=tasks,
        discoveries=discoveries,
        requests=_answered(seen) - _answered(seen_before),
        logged=logged,
        billed=_bill(os.environ["GEMINI_BASE_URL"], datetime.now(UTC).date()),
        ledger=ledger,
    )


def print_figures(console: Console, figures: Figures, day: datetime) -> None:
    """Print the table."""
    table = Table("what", "which", "count", title="Influencers", title_justify="left")
    for what, which, count in _rows(figures):
        table.add_row(what, which, f"{count:,}")
    console.print(table)
    scraped = [one for one in bloggers().values() if one.is_scraped]
    ours = sum(requests_of(one, day) for one in scraped)
    naive = sum(naive_requests_of(one, day) for one in scraped)
    settled = sum(cost for state, cost in figures.ledger.values() if state == "settled")
    unknown = sum(cost for state, cost in figures.ledger.values() if state == "unknown")
    console.print(
        f"Requests to Instagram since the command began: {figures.requests}. Scraping {len(scraped)} blogs once takes "
        f"{ours}, and {naive:,} by Instaloader's documented methods ({naive / ours:.1f} times as many)."
    )
    console.print(
        f"Gemini's batches: {settled:.6f} USD for answers, as billed; {unknown:.6f} USD are held for results that were "
        "lost."
    )


def _rows(figures: Figures) -> list[tuple[str, str, int]]:
    described = sum(row["ai_insights"] is not None for row in figures.blogs.values())
    categories = Counter(row["category"] for row in figures.blogs.values() if row["category"])
    rows = [("blogs", status, count) for status, count in figures.statuses.most_common()]
    rows += [
        ("posts", "stored", figures.total("posts")),
        ("posts", "hide their likes", figures.total("hidden")),
        ("highlights", "stored", figures.total("highlights")),
    ]
    for hashtag, found in sorted(figures.discoveries.items()):
        rows += [(f"#{hashtag}", name, found[name]) for name in ("posts", "known", "refused", "added")]
    rows.append(("insights", "described", described))
    rows += [
        ("insights" if kind == "ai_analysis" else kind, outcome or status, count)
        for (kind, status, outcome), count in sorted(figures.tasks.items())
        if outcome or status != "done"
    ]
    return rows + [("category", code, count) for code, count in categories.most_common()]


def _answered(seen: Mapping[str, Any]) -> int:
    return sum(seen["by_status"].values())


def _bill(base_url: str, day: date) -> dict[str, Decimal]:
    """The cost of each answer in a batch at the price list's price, by the id of its row in the ledger."""
    bill: dict[str, Decimal] = {}
    for one in httpx2.get(f"{base_url}/_standin/bill", trust_env=False).json():
        usage = TokenUsage(prompt=one["prompt"], output=one["output"])
        bill[one["key"]] = token_cost_usd(MODELS[one["model"]], usage, day, in_batch=True)
    return bill
