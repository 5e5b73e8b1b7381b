"""How many requests a scrape takes, and so how many blogs fit a day of one account: ours against two usual ways.

    .venv/bin/python benchmarks/scrape_requests.py [BLOGS]

Ours is counted at the stand-in for Instagram while the real code scrapes every blog. The other two are computed from
what each library sends: Instaloader's documented methods were counted against an emulator (40 requests for 20 posts
and 7 highlights), those of instagrapi are from its source. Fails if a scrape takes more requests than it should, or
if the pool's log does not have every request.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from threading import Event
from typing import Any

from cryptography.fernet import Fernet
from machine import described
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.sandbox.instagram_pool import add_pool_accounts
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.instagram_scripts import (
    AccountScript,
    ScriptedHighlight,
    ScriptedPost,
    ScriptedStory,
)
from entity_pipeline.sandbox.instagram_standin import InstagramStandin
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

POSTS, DAY_S = 20, 86_400
HIGHLIGHTS = (0, 1, 7)  # in turn
PLAYS_MISSING = 10  # of every so many blogs one shows its plays in the reels tab only
PER_HOUR, PER_DAY = 30, 1_000
_WIDE = """
update pipeline_settings set is_enabled = true, settings = settings || '{"terms_acknowledged": true, "windows":
  {"gap_s": 0, "jitter_s": [0, 0], "per_minute": 1000000, "per_hour": 1000000, "per_day": 1000000}}'
where platform = 'instagram'
"""


def accounts(count: int) -> list[SimulatedAccount]:
    """Blogs with 20 posts each."""
    now = int(time.time())
    story = ScriptedStory(now - DAY_S, ("friend.madeup",), ("https://shop.example/a",), ("Somewhere",))
    found = []
    for nth in range(count):
        posts = tuple(
            ScriptedPost(
                now - (2 + 3 * place) * DAY_S,
                "reel" if place % 3 == 0 else "photo",
                f"post {place} #madeup",
                likes=500 + place,
                comments=20,
                plays=9_000 if place % 3 == 0 else None,
                plays_on_grid=bool(nth % PLAYS_MISSING),
            )
            for place in range(POSTS)
        )
        highlights = tuple(
            ScriptedHighlight(f"Trip {one}", (story,)) for one in range(HIGHLIGHTS[nth % len(HIGHLIGHTS)])
        )
        script = AccountScript(12_000, posts=posts, highlights=highlights)
        found.append(SimulatedAccount(f"blog{nth}.madeup", f"Blog {nth}", "A bio", script=script))
    return found


def scrape_all(database: Any, url: str, names: Sequence[str]) -> Counter[str]:
    """Scrape every blog with the real code, one after the other; returns how the tasks ended."""
    session = InstagramResource(
        assets_db=database, base_url=url, session_keys=os.environ["INSTAGRAM_SESSION_KEYS"]
    ).session(KEY)
    work = Work(
        InfluencerSettings(),
        session,
        database,
        STORE,
        stop=Event(),
        lost=Event(),
        deadline=datetime.now(UTC) + timedelta(hours=1),
    )
    with database.connection() as connection:
        for start in range(0, len(names), 1_000):
            ask_for_blogs(connection, names[start : start + 1_000])
    ended: Counter[str] = Counter()
    while True:
        with database.connection() as connection:
            tasks = STORE.claim(connection, f"benchmark{ended.total()}", 10, [TaskType.FULL_SCRAPE])
        if not tasks:
            return ended
        for task in tasks:
            ended[str(getattr(scrape(task, work), "outcome", "stopped"))] += 1


def instaloader(highlights: int) -> int:
    """The profile page 1; metadata, tokens and the first page 3; each further page of 12 posts 1; the comment count
    of each post 1; the highlights 1, and 2 for each highlight."""
    return 1 + 3 + ceil(POSTS / 12) - 1 + POSTS + 1 + 2 * highlights


def instagrapi(highlights: int) -> int:
    """`user_info_by_username` 1 (2 when the first interface refuses), `user_medias` 1 per 33, `user_highlights` 1,
    `highlight_info` 1 for each."""
    return 1 + ceil(POSTS / 33) + 1 + highlights


def report(console: Console, blogs: int, ours: int) -> None:
    """Print requests and blogs per day."""
    highlights = [HIGHLIGHTS[nth % len(HIGHLIGHTS)] for nth in range(blogs)]
    ways = {
        "ours, counted at the stand-in": ours,
        "instagrapi, from its source": sum(map(instagrapi, highlights)),
        "Instaloader's documented methods": sum(map(instaloader, highlights)),
    }
    capacity = min(PER_DAY, 24 * PER_HOUR)
    table = Table("way", "requests", "per blog", f"blogs per day of one account ({capacity} requests)")
    for way, requests in ways.items():
        per_blog = requests / blogs
        table.add_row(way, f"{requests:,}", f"{per_blog:.2f}", f"{capacity / per_blog:,.0f}")
    console.print(table)


def main(count: int) -> None:
    console = Console(highlight=False)
    console.print(described())
    os.environ["INSTAGRAM_SESSION_KEYS"] = Fernet.generate_key().decode()
    shown = accounts(count)
    with (
        tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as folder,
        InstagramStandin(shown, latency_ms=0) as standin,
    ):
        postgres = EmbeddedPostgres(Path(folder) / "server", databases=("assets", "operation"))
        with SharedServers(Path(folder) / "server", [postgres]):
            migrations.migrate(postgres.url("assets"), postgres.url("operation"))
            database = PostgresResource(url=postgres.url("assets"))
            with database.connection() as connection:
                connection.execute(_WIDE)
            add_pool_accounts(database, ["seat1.madeup", "seat2.madeup", "seat3.madeup"])
            began = time.perf_counter()
            ended = scrape_all(database, standin.url, [one.username for one in shown])
            seconds = time.perf_counter() - began
            with database.connection() as connection:
                logged = connection.execute("select count(*) from instagram_request_log").fetchone()[0]
    received = sum(standin.requests["by_status"].values())
    console.print(f"{count:,} blogs in {seconds:.1f} s: {dict(ended)}")
    report(console, count, received)
    most = sum(
        3 + ceil(HIGHLIGHTS[nth % len(HIGHLIGHTS)] / 5) + (nth % PLAYS_MISSING == 0) for nth in range(count)
    )
    if received > most or received != logged:
        raise SystemExit(f"{received} requests were received and {logged} logged; {most} should do")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 300)
