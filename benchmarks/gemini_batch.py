"""Seconds and peak memory for one batch of 1,000 requests with pictures: built, submitted and collected.

    .venv/bin/python benchmarks/gemini_batch.py [REQUESTS]

Starts its own PostgreSQL in a temporary folder, durable as in production, and the stand-in for Gemini in a process of
its own, so that the memory is that of the pipeline alone. Fails above 200 MB.
"""

import hashlib
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from machine import described
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.core.gemini.batch import BatchEnded, BatchTicket
from entity_pipeline.core.gemini.call import Call, CallKind, Claim, Step
from entity_pipeline.core.gemini.outcomes import Answered
from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.request import Generation, Request, Text
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.sandbox.gemini_standin import GeminiStandin
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

MODEL = "gemini-3.5-flash-lite"
STEP = Step("benchmark", "benchmark", "batch")
PICTURES, PICTURE_BYTES, TEXT_LETTERS = 10, 30_000, 4_000
MOST_MB = 200
_WIDE = """
update pipeline_settings set settings = '{"daily_spend_usd": 100000, "requests_per_minute": 1000}'
where platform = 'gemini'
"""


class Kind(CallKind):
    """The kind of the calls."""

    INSIGHTS = "insights"


def _bytes(seed: int) -> bytes:
    return random.Random(seed).randbytes(PICTURE_BYTES)


def _picture(seed: int) -> Picture:
    digest = hashlib.sha256(_bytes(seed)).hexdigest()
    return Picture("image/jpeg", digest, PICTURE_BYTES, lambda: _bytes(seed))


def _call(nth: int) -> Call:
    pictures = [_picture(nth * PICTURES + one) for one in range(PICTURES)]
    request = Request(
        model=MODEL,
        system="Describe the profile.",
        parts=(Text(f"profile {nth} " + "가" * TEXT_LETTERS), *pictures),
        generation=Generation(1_500, None, None, thinking_level="low", media_resolution="low"),
    )
    claim = Claim(STEP, Kind.INSIGHTS, f"subject_{nth}")
    return Call(claim=claim, request=request, input_hash=f"i{nth}", config_hash="c")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(database_url: str, gemini_url: str, count: int, console: Console) -> None:
    gemini = GeminiResource(
        assets_db=PostgresResource(url=database_url), api_key="any", base_url=gemini_url, model_name=MODEL
    )
    at_start, began = _peak_mb(), time.perf_counter()

    def report(what: str) -> None:
        nonlocal began
        console.print(f"  {what:<10} {time.perf_counter() - began:6.1f} s   peak {_peak_mb():4.0f} MB")
        began = time.perf_counter()

    console.print(
        f"{count:,} requests with {PICTURES} pictures of {PICTURE_BYTES:,} bytes; {at_start:.0f} MB at start"
    )
    calls = [_call(nth) for nth in range(count)]
    report("build")
    ticket = gemini.submit(calls, run_id="benchmark")
    if not isinstance(ticket, BatchTicket) or ticket.name is None:
        raise SystemExit(f"not submitted: {ticket}")
    report("submit")
    while not isinstance(seen := gemini.collect(ticket.name), BatchEnded):
        pass
    report("collect")
    answered = sum(isinstance(outcome, Answered) for _, outcome in gemini.answers(ticket.name))
    report("read")
    if answered != count or seen.requests != {"settled": count}:
        raise SystemExit(f"{answered} of {count} were answered: {seen}")
    if _peak_mb() > MOST_MB:
        raise SystemExit(f"the peak of {_peak_mb():.0f} MB is above {MOST_MB} MB")


def main(count: int) -> None:
    console = Console(highlight=False)
    console.print(described())
    command = [sys.executable, __file__, "--standin"]
    with (
        tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as standin,
    ):
        assert standin.stdout is not None
        postgres = EmbeddedPostgres(Path(folder) / "server", databases=("assets", "operation"))
        with SharedServers(Path(folder) / "server", [postgres]):
            migrations.migrate(postgres.url("assets"), postgres.url("operation"))
            with psycopg.connect(postgres.url("assets"), autocommit=True) as connection:
                connection.execute(_WIDE)
            measure(postgres.url("assets"), standin.stdout.readline().strip(), count, console)
        standin.communicate()


def serve() -> None:
    """The stand-in, until standard input ends."""
    with GeminiStandin(latency_ms=0) as standin:
        sys.stdout.write(f"{standin.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:] == ["--standin"]:
        serve()
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000)
