"""Milliseconds of the lists of the influencers' page at 1,000,000 tasks and 200,000 blogs, over filters and orders.

    .venv/bin/python benchmarks/influencer_lists.py [BLOGS] [--keep FOLDER]

Each figure is the fastest of some calls, which depends least on what else the machine does.
Starts its own PostgreSQL and makes the blogs, five times as many tasks, and the posts of one blog (a minute). With
--keep the folder stays and is used again. Exits with 1 if a list takes longer than the limit.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from machine import described
from psycopg import sql
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.domains.influencers.page.blog import blog_figures
from entity_pipeline.domains.influencers.page.blog_list import blog_page, read_blog_counts
from entity_pipeline.domains.influencers.page.list_values import BlogQuery, BlogSort, TaskQuery
from entity_pipeline.domains.influencers.page.task_list import read_task_figures, task_page
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

LIMIT_MS = 150.0
TASKS_PER_BLOG = 5
_FILL = (
    """
create function pg_temp.id_of(n bigint) returns uuid language sql immutable as
$$ select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$
""",
    "insert into persons (id, full_name) select pg_temp.id_of(n), 'Person ' || n from generate_series(1, %(blogs)s) n",
    """
insert into blogs (id, person_id, username, platform_id, full_name, biography, follower_count, media_count, er,
  er_reels, er_trend, posts_per_week, metrics, scrape_status, scraped_at, ai_insights, source, created_at)
select pg_temp.id_of(n), pg_temp.id_of(n), 'blogger_' || n, n, 'Person ' || md5(n::text), repeat('words of a bio ', 8),
  (random() ^ 6 * 5e6)::bigint, 20, nullif((random() * 12)::numeric(5, 2), 0),
  case when n %% 3 > 0 then (random() * 12)::numeric(5, 2) end,
  (array['growing', 'stable', 'declining', null])[1 + n %% 4], (random() * 9)::numeric(5, 2),
  '{"version": 1, "n": 12, "why": {}}',
  (array['active', 'active', 'active', 'active', 'active', 'active', 'pending', 'private', 'analyzing', 'deleted'])
    [1 + n %% 10],
  now() - random() * interval '60 days', jsonb_build_object('notes', repeat('a note ', 60)),
  (array['manual', 'api', 'discover:beauty', 'discover:food'])[1 + n %% 4],
  now() - (%(blogs)s - n) * interval '1 minute'
from generate_series(1, %(blogs)s) n
""",
    """
insert into blog_categories (blog_id, category_id, is_primary)
select pg_temp.id_of(n), c.id, true from generate_series(1, %(blogs)s) n
join (select id, row_number() over (order by id) as nth from categories) c on c.nth = 1 + (sqrt(n %% 400))::int %% 20
""",
    """
insert into scrape_tasks (task_type, task_key, status, priority, attempts, max_attempts, created_at, completed_at,
  outcome, error_message)
select case when n %% 3 = 0 then 'ai_analysis' else 'full_scrape' end, pg_temp.id_of(1 + n %% %(blogs)s)::text,
  case when n %% 100 = 0 then 'failed' else 'done' end, 1 + n %% 10, 1, 4,
  now() - (%(tasks)s - n) * interval '10 seconds', now(), case when n %% 100 = 0 then 'error' end,
  case when n %% 100 = 0 then 'It took too long.' end
from generate_series(1, %(tasks)s - %(blogs)s) n
""",
    """
insert into scrape_tasks (task_type, task_key, status, priority, max_attempts, created_at)
select 'full_scrape', pg_temp.id_of(n)::text, 'pending', 1 + n %% 10, 4, now() - random() * interval '3 days'
from generate_series(1, %(blogs)s) n
""",
    """
insert into blog_posts (blog_id, platform_id, code, caption_text, like_count, comment_count, media_type, taken_at)
select pg_temp.id_of(1), n, 'C0de' || n, repeat('words ', 50), n * 3, n, 'photo', now() - n * interval '1 day'
from generate_series(1, 500) n
""",
)
_BLOG_FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "status, common": {"status": "active"},
    "status, rare": {"status": "deleted"},
    "category, common": {"category": "beauty"},
    "category none": {"category": "none"},
    "category, unknown": {"category": "nothing"},
    "source": {"source": "api"},
    "source, unknown": {"source": "unheard_of"},
    "search, one letter": {"search": "a"},
    "search, rare": {"search": "blogger_12345"},
    "search, nothing": {"search": "zzzz"},
    "all filters": {"status": "active", "category": "food", "source": "api", "search": "person 7"},
    "pending and deleted food (none)": {"status": "pending", "category": "food", "search": "zzzz"},
}
_TASK_FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "failed": {"task_status": "failed"},
    "failed insights": {"task_status": "failed", "task_type": "ai_analysis"},
    "running (none)": {"task_status": "running"},
    "hashtags (none)": {"task_type": "discover"},
}

Connection = psycopg.Connection[Any]


def timed(ask: Callable[[], Any], times: int = 7) -> tuple[float, Any]:
    """The fastest of some calls in ms, and what the last one returned."""
    taken = []
    result = None
    for _ in range(times):
        began = perf_counter()
        result = ask()
        taken.append((perf_counter() - began) * 1_000)
    return min(taken), result


def fill(connection: Connection, blogs: int) -> None:
    """Make everything."""
    values = {"blogs": blogs, "tasks": blogs * TASKS_PER_BLOG}
    with psycopg.ClientCursor(connection) as cursor:
        for statement in _FILL:
            cursor.execute(statement, values)
    for table in ("blogs", "blog_categories", "scrape_tasks", "blog_posts"):
        connection.execute(sql.SQL("vacuum analyze {}").format(sql.Identifier(table)))


def measure(connection: Connection, console: Console) -> float:
    """Print the table; returns the slowest list in ms."""
    table = Table("list", "filter", "order", "rows", "first", "next", "previous", title="ms")
    slowest = 0.0
    for (name, filters), order in product(_BLOG_FILTERS.items(), BlogSort):
        query = BlogQuery.model_validate({**filters, "sort": order})
        first_ms, page = timed(partial(blog_page, connection, query))
        row = [first_ms]
        if page.next_cursor is not None:
            further = query.model_copy(update={"cursor": page.next_cursor})
            further_ms, second = timed(partial(blog_page, connection, further))
            back = query.model_copy(update={"cursor": second.previous_cursor})
            row += [further_ms, timed(partial(blog_page, connection, back))[0]]
        slowest = max(slowest, *row)
        table.add_row("blogs", name, order.value, str(len(page.rows)), *_shown(row))
    for name, filters in _TASK_FILTERS.items():
        asked = TaskQuery.model_validate(filters)
        first_ms, tasks = timed(partial(task_page, connection, asked))
        row = [first_ms]
        if tasks.next_before is not None:
            older = asked.model_copy(update={"before": tasks.next_before})
            row.append(timed(partial(task_page, connection, older))[0])
        slowest = max(slowest, *row)
        table.add_row("tasks", name, "", str(len(tasks.rows)), *_shown(row))
    blog_ms, _ = timed(partial(blog_figures, connection, "blogger_1"))
    table.add_row("one blog", "500 posts", "", "1", *_shown([blog_ms]))
    console.print(table)
    for what, read in (("blogs", read_blog_counts), ("tasks", read_task_figures)):
        console.print(f"counts of {what}: {timed(partial(read, connection), 5)[0]:.0f} ms, kept for 15 s")
    return max(slowest, blog_ms)


def _shown(row: list[float]) -> list[str]:
    return [f"{ms:.1f}{' !' if ms > LIMIT_MS else ''}" for ms in row] + [""] * (3 - len(row))


def main() -> None:
    """Read the options, start the server, fill it unless it is filled, and measure."""
    parser = argparse.ArgumentParser(description="The lists of the influencers' page.")
    parser.add_argument("blogs", type=int, nargs="?", default=200_000)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    console.print(described())
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
        folder = options.keep or Path(temporary) / "server"
        postgres = EmbeddedPostgres(folder, databases=("assets", "operation"))
        with SharedServers(folder, [postgres]):
            migrations.migrate(postgres.url("assets"), postgres.url("operation"))
            with psycopg.connect(
                postgres.url("assets"), autocommit=True, prepare_threshold=None
            ) as connection:
                if connection.execute("select exists (select from blogs)").fetchone() != (True,):
                    fill(connection, options.blogs)
                slowest = measure(connection, console)
    console.print(f"slowest list {slowest:.1f} ms")
    if slowest > LIMIT_MS:
        raise SystemExit(f"A list took more than {LIMIT_MS:.0f} ms.")


if __name__ == "__main__":
    main()
