"""What storing a scrape of 20 posts and 7 highlights costs: round trips, milliseconds, and bytes of the log.

    .venv/bin/python benchmarks/influencer_scrape.py [--short]

Starts its own PostgreSQL (fsync on) with 400,000 posts of 20,000 blogs. Instagram's answers are made up and come at
once. A first scrape inserts everything; the second one finds a tenth of the posts changed and all addresses of
pictures, as Instagram signs them anew. Exits with 1 if a scrape takes more round trips or more of the processor than
the limits.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from threading import Event
from typing import Any

import psutil
import psycopg
from machine import described
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.core.instagram.highlights import (
    Highlight,
    HighlightItems,
    HighlightsLook,
    HighlightsRead,
    HighlightStories,
    HighlightTray,
    Story,
)
from entity_pipeline.core.instagram.newest_posts import NewestPosts, PostsPage
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.post import InstagramPost, NamedUser
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileLook
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

MOST_ROUND_TRIPS, LIMIT_MS = 6, 40.0
POSTS, HIGHLIGHTS = 20, 7
_FILL = """
with people as (insert into persons select gen_random_uuid() from generate_series(1, %s) returning id),
blogs_ as (
  insert into blogs (person_id, username, platform_id)
  select id, 'other_' || row_number() over (), row_number() over () from people returning id
)
insert into blog_posts (blog_id, platform_id, code, caption_text, taken_at, like_count, comment_count)
select id, n, 'Code' || n, repeat('words ', 50), now() - n * interval '1 day', n, n
from blogs_, generate_series(1, %s) n
"""


@dataclass
class Simulated:
    """An Instagram that answers at once, for any name; `signed` is in the addresses of pictures."""

    nth: int
    signed: int

    def run(self, operation: Operation[Any], deadline: datetime) -> Result[Any]:
        """The answer to an operation of a scrape."""
        del deadline
        return Result(Finding.FOUND, self._answer(operation))

    @property
    def _pk(self) -> int:
        return 10_000_000 + self.nth

    def _answer(self, operation: Operation[Any]) -> Any:
        match operation:
            case ProfileLook(username):
                return InstagramProfile(
                    str(self._pk), username, "Made Up", "words", None, False, False, 10_000, (), 5, 100
                )
            case NewestPosts():
                return PostsPage([self._post(place) for place in range(POSTS)])
            case HighlightsLook():
                first = self._pk * 100
                return HighlightTray(
                    [Highlight(first + n, f"Trip {n}", 3, self._url(n)) for n in range(HIGHLIGHTS)]
                )
            case HighlightItems(pks):
                brand = NamedUser(5, "made.up.brand")
                story = Story(1, datetime.now(UTC), mentions=(brand,), links=("https://shop.example/a",))
                return HighlightsRead([HighlightStories(pk, "Trip", [story] * 3) for pk in pks])
        raise AssertionError(operation)

    def _post(self, place: int) -> InstagramPost:
        is_changed = self.signed and place % 10 == 0
        return InstagramPost(
            pk=self._pk * 1_000 + place,
            code=f"Made{self.nth}{place}",
            taken_at=datetime(2026, 11, 29, tzinfo=UTC) - timedelta(days=2 * place),
            kind="video" if place % 3 == 0 else "photo",
            product_type="clips" if place % 3 == 0 else "feed",
            caption="Sea day with @made.up.brand #jeju " + "words " * 50,
            like_count=100 + place + is_changed,
            comment_count=9,
            play_count=5_000 if place % 3 == 0 else None,
            thumbnail_url=self._url(place),
        )

    def _url(self, place: int) -> str:
        return f"https://x.cdninstagram.com/v/{place}_n.jpg?oh={'a' * 40}&oe={self.signed:X}"


class CountedDatabase:
    """One connection, and how often it was taken: a scrape sends one round trip each time."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.taken = 0

    def connection(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """The connection."""
        return self._given()

    @contextmanager
    def _given(self) -> Iterator[psycopg.Connection[Any]]:
        self.taken += 1
        yield self._connection


class Measured:
    """The scrapes of one kind."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._server = psutil.Process(connection.info.backend_pid)
        self.took_ms: list[float] = []
        self.processor_s = 0.0
        self.round_trips = 0
        self.log_bytes = 0

    def run(self, nth: int, signed: int) -> None:
        """Ask for one blog, and scrape it."""
        ask_for_blogs(self._connection, [f"blogger_{nth}"])
        [task] = STORE.claim(self._connection, f"claim/{nth}/{signed}", 1, [TaskType.FULL_SCRAPE])
        database = CountedDatabase(self._connection)
        deadline = datetime.now(UTC) + timedelta(minutes=5)
        session = Simulated(nth, signed)
        work = Work(InfluencerSettings(), session, database, STORE, Event(), Event(), deadline)
        before, processor, began = self._log(), self._processor_s(), time.perf_counter()
        ended = scrape(task, work)
        self.took_ms.append((time.perf_counter() - began) * 1_000)
        self.processor_s += self._processor_s() - processor
        self.log_bytes += self._log() - before
        self.round_trips = max(self.round_trips, database.taken)
        assert str(ended) == "Done(outcome='scraped', unavailable=False)", ended

    @property
    def processor_ms(self) -> float:
        """The mean of a scrape, here and in the server."""
        return self.processor_s * 1_000 / len(self.took_ms)

    def _processor_s(self) -> float:
        server = self._server.cpu_times()
        return time.thread_time() + server.user + server.system

    def _log(self) -> int:
        row = self._connection.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
        return int(row[0]) if row else 0


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="20,000 posts and 50 scrapes")
    blogs, scrapes = (1_000, 50) if parser.parse_args().short else (20_000, 500)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder), databases=("assets", "operation"))
        with SharedServers(Path(folder), [postgres]):
            migrations.migrate(postgres.url("assets"), postgres.url("operation"))
            with psycopg.connect(
                postgres.url("assets"), autocommit=True, prepare_threshold=None
            ) as connection:
                connection.execute(_FILL, [blogs, POSTS])
                connection.execute("vacuum analyze blogs")
                connection.execute("vacuum analyze blog_posts")
                kinds = {"first scrape": Measured(connection), "second scrape": Measured(connection)}
                for signed, measured in enumerate(kinds.values()):
                    for nth in range(scrapes):
                        measured.run(nth, signed)
    table = Table(title=f"{blogs * POSTS:,} posts, {scrapes} scrapes of each kind; {described()}")
    for column in ("", "round trips", "processor ms", "half below ms", "95 % below ms", "log kB"):
        table.add_column(column, justify="left" if not column else "right")
    for name, measured in kinds.items():
        parts = quantiles(measured.took_ms, n=20, method="inclusive")
        figures = (
            measured.processor_ms,
            parts[9],
            parts[18],
            measured.log_bytes / len(measured.took_ms) / 1_000,
        )
        table.add_row(name, str(measured.round_trips), *(f"{figure:.1f}" for figure in figures))
    console.print(table)
    slow = any(one.processor_ms > LIMIT_MS or one.round_trips > MOST_ROUND_TRIPS for one in kinds.values())
    sys.exit(int(slow))


if __name__ == "__main__":
    main()
