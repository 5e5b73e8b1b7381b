"""Seconds and peak memory for the insights of 1,000 blogs: asked in batches, collected and stored.

    .venv/bin/python benchmarks/insights.py [BLOGS [IN_A_BATCH]]

Each blog has 20 posts with long captions and 10 pictures. Starts its own PostgreSQL in a temporary folder, durable as
in production, and the stand-in for Gemini in a process of its own, so that the memory is that of the pipeline alone.
Fails above 200 MB, and if the ledger's cost is not the stand-in's bill.
"""

import hashlib
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from machine import described
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.core.instagram.results import Deferred
from entity_pipeline.core.objects import StoredObject, object_key
from entity_pipeline.core.reasons import Reason
from entity_pipeline.domains.influencers.insights import submission
from entity_pipeline.domains.influencers.insights.collection import Collection
from entity_pipeline.domains.influencers.insights.logic.wire import wire_answer
from entity_pipeline.domains.influencers.insights.pictures import PREFIX
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource, open_database
from entity_pipeline.sandbox.gemini_answers import GeminiAnswer, GeminiSubject
from entity_pipeline.sandbox.gemini_request import texts_of
from entity_pipeline.sandbox.gemini_standin import GeminiStandin
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

POSTS, PICTURES, PICTURE_BYTES = 20, 10, 30_000
MOST_MB = 200
_WIDE = """
update pipeline_settings set settings = '{"daily_spend_usd": 100000, "requests_per_minute": 100000}'
where platform = 'gemini'
"""
_BLOGS = """
with people as (
  insert into persons (full_name) select 'p' || n from generate_series(1, %(blogs)s) n returning id
), made as (
  insert into blogs (person_id, username, biography, follower_count, scrape_status)
  select id, 'blog' || row_number() over (), 'mom of two', 5000, 'analyzing' from people returning id, username
), posts as (
  insert into blog_posts (blog_id, platform_id, code, caption_text, hashtags, media_type, like_count, taken_at)
  select id, n, username || '-' || n, repeat('Подпись к фото ', 60), '{cats,dogs}', 'photo', 100,
    now() - n * interval '1 day'
  from made, generate_series(1, %(posts)s) n
)
insert into scrape_tasks (task_type, task_key, priority, max_attempts)
select 'ai_analysis', id::text, 3, 4 from made
"""
_PICTURE = """
update blog_posts p set thumbnail_key = k.key
from unnest(%s::text[], %s::text[]) k(code, key) where p.code = k.code
"""
_ACCOUNT = re.compile(r"BEGIN ACCOUNT ([0-9a-f]{32})\n(.*)\nEND ACCOUNT \1")


def _bytes(seed: int) -> bytes:
    return random.Random(seed).randbytes(PICTURE_BYTES)


class SeededStore:
    """Pictures that are made when they are read."""

    def __init__(self) -> None:
        self._seeds: dict[str, int] = {}

    def add(self, seed: int) -> str:
        key = object_key(PREFIX, hashlib.sha256(_bytes(seed)).hexdigest(), "image/jpeg")
        self._seeds[key] = seed
        return key

    def put(self, prefix: str, data: bytes, content_type: str) -> StoredObject:
        raise NotImplementedError

    def get(self, key: str) -> bytes | None:
        return _bytes(self._seeds[key])

    def exists(self, key: str) -> bool:
        return key in self._seeds

    def delete(self, key: str) -> None:
        del self._seeds[key]


class NoInstagram:
    """Every picture is stored already."""

    def run(self, operation: Any, deadline: datetime) -> Any:
        return Deferred(
            Reason("entity_pipeline.core", "switched_off", {"name": "instagram", "row": "instagram"})
        )


class Answers:
    """A full answer about any blog."""

    def subject(self, request: Mapping[str, Any]) -> GeminiSubject:
        return GeminiSubject(str(_account(request)["username"]))

    def answer(self, subject: str, behaviour: str, request: Mapping[str, Any]) -> GeminiAnswer:
        account = _account(request)
        codes = [post["code"] for post in account["posts"]][:3]
        values = {"lifestyle": {"has_pets": True, "pet_types": ["cat"]}, "confidence": 0.7}
        values["content"] = {"primary_topic": "Pets", "secondary_topics": ["Family", "Home"]}
        posts = {"lifestyle.has_pets": codes, "lifestyle.pet_types": [codes], "content.primary_topic": codes}
        posts["content.secondary_topics"] = [codes, codes]
        return GeminiAnswer(json.dumps(wire_answer(account["key"], values, posts)))


def _account(request: Mapping[str, Any]) -> dict[str, Any]:
    found = _ACCOUNT.search("\n".join(texts_of(request["contents"])))
    assert found is not None
    account: dict[str, Any] = json.loads(found[2])
    return account


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(database_url: str, gemini_url: str, blogs: int, console: Console) -> None:
    gemini = GeminiResource(assets_db=PostgresResource(url=database_url), api_key="any", base_url=gemini_url)
    settings = InfluencerSettings(insights_enabled=True, insights_acknowledged=True, insights_wait_hours=0)
    store = SeededStore()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_WIDE)
        connection.execute(_BLOGS, {"blogs": blogs, "posts": POSTS})
        codes = [f"blog{blog + 1}-{post + 1}" for blog in range(blogs) for post in range(PICTURES)]
        connection.execute(_PICTURE, [codes, [store.add(seed) for seed in range(len(codes))]])
        connection.execute("vacuum analyze")
    at_start, began = _peak_mb(), time.perf_counter()
    console.print(f"{blogs:,} blogs, {submission.MOST_IN_BATCH} in a batch; {at_start:.0f} MB at start")

    def report(what: str) -> None:
        nonlocal began
        took = time.perf_counter() - began
        console.print(
            f"  {what:<8} {took:6.1f} s  {took / blogs * 1000:5.1f} ms per blog  peak {_peak_mb():4.0f} MB"
        )
        began = time.perf_counter()

    deadline = datetime.now(UTC) + timedelta(hours=1)
    with open_database(database_url, max_connections=4, application_name="benchmark") as database:
        run = submission.Submission(
            database,
            gemini,
            NoInstagram(),
            store,
            settings,
            "submit",
            deadline,  # type: ignore[arg-type]
        )
        run.run()
        report("submit")
        for _ in range(3):
            Collection(database, gemini, settings, "collect", deadline).run()
        report("collect")
        with database.connection() as connection:
            [done] = connection.execute("select count(*) from blogs where ai_insights is not null").fetchone()
            [spent] = connection.execute("select sum(cost_usd) from gemini_usage_events").fetchone()
    with urllib.request.urlopen(f"{gemini_url}/_standin/bill") as answer:  # noqa: S310 - loopback
        bill = sum(map(_cost, json.load(answer)), Decimal(0))
    console.print(
        f"  {done:,} described in {len(run.batches)} batches for {spent} USD; the bill is {bill} USD"
    )
    if done != blogs or spent != bill:
        raise SystemExit("not every blog was described and paid for once")
    if _peak_mb() > MOST_MB:
        raise SystemExit(f"the peak of {_peak_mb():.0f} MB is above {MOST_MB} MB")


def _cost(one: Mapping[str, Any]) -> Decimal:
    """By Google's price list, in a batch of gemini-3.5-flash-lite."""
    cost = (one["prompt"] * Decimal("0.15") + one["output"] * Decimal("1.25")) / 1_000_000
    return cost.quantize(Decimal("0.000001"))


def main(blogs: int, in_a_batch: int) -> None:
    console = Console(highlight=False)
    console.print(described())
    submission.MOST_IN_BATCH = in_a_batch
    command = [sys.executable, __file__, "--standin"]
    with (
        tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as standin,
    ):
        assert standin.stdout is not None
        postgres = EmbeddedPostgres(Path(folder) / "server", databases=("assets", "operation"))
        with SharedServers(Path(folder) / "server", [postgres]):
            migrations.migrate(postgres.url("assets"), postgres.url("operation"))
            measure(postgres.url("assets"), standin.stdout.readline().strip(), blogs, console)
        standin.communicate()


def serve() -> None:
    """The stand-in, until standard input ends."""
    with GeminiStandin([Answers()], latency_ms=0) as standin:
        sys.stdout.write(f"{standin.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:] == ["--standin"]:
        serve()
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000, int(sys.argv[2]) if sys.argv[2:] else 50)
