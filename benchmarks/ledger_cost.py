"""What one request's three writes to the ledger cost in ms: reserve, mark sent, settle; alone and under 8 processes.

    .venv/bin/python benchmarks/ledger_cost.py [REQUESTS]

Starts its own PostgreSQL in a temporary folder, durable as in production (fsync on). Under
many processes most of the waiting is for the lock of `reserve`, which admits one at a time per Google project, by
design.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.core.gemini.call import Call, CallKind, Claim, Step
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.request import Request, Text, Tool
from entity_pipeline.core.gemini.usage import ReplyFigures, TokenUsage
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

FLASH = MODELS["gemini-2.5-flash"]
STEP = Step("benchmark", "benchmark", "cost")
REQUEST = Request(model=FLASH.name, system="", parts=(Text("x"),), tools=(Tool.GOOGLE_SEARCH,))
REPLY = {"candidates": [{"content": {"parts": [{"text": "x" * 6_000}]}}]}
FIGURES = ReplyFigures(
    usage=TokenUsage(prompt=900, cached=0, output=300, thoughts=500, tool=0),
    search_queries=2,
    model_version=FLASH.name,
    billed_as=None,
    token_cost_usd=Decimal("0.002270"),
    units=1,
    pool=FLASH.pool,
)
KEPT = {"model": FLASH.name, "sealed": "x" * 3_000}
PROCESSES = 8


class Kind(CallKind):
    """The kind of the calls."""

    REVIEW = "review"


_WIDE = """
update pipeline_settings
set settings = '{"daily_grounding_cap": 1000000, "requests_per_minute": 1000000, "daily_spend_usd": 1000000,
  "paid_grounding": true}'
where platform = 'gemini'
"""

Times = dict[str, list[float]]


def _timed(times: Times, step: str, action: Callable[..., Any], *arguments: Any) -> Any:
    began = time.perf_counter()
    result = action(*arguments)
    times[step].append((time.perf_counter() - began) * 1_000)
    return result


def measure(url: str, name: str, count: int) -> Times:
    """Make `count` requests one after the other; returns the milliseconds of each write."""
    times: Times = {"reserve": [], "mark sent": [], "settle": []}
    with open_database(url, max_connections=1) as database:
        ledger = Ledger(database)
        ledger.status(FLASH)
        for nth in range(count):
            claim = Claim(STEP, Kind.REVIEW, f"{name}_{nth}")
            call = Call(claim=claim, request=REQUEST, input_hash="i", config_hash="c")
            place = _timed(times, "reserve", ledger.reserve, call, 1, name)
            if not isinstance(place, Reserved):
                raise SystemExit(f"no place was given: {place}")
            _timed(times, "mark sent", ledger.mark_sent, place.event_id, KEPT)
            _timed(times, "settle", ledger.settle, place, REPLY, FIGURES, 4_000)
    return times


def _together(url: str, count: int) -> Times:
    command = [sys.executable, __file__, "--process", url]
    started = [
        subprocess.Popen([*command, f"p{number}", str(count)], stdout=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    said = [json.loads(process.communicate()[0]) for process in started]
    return {step: [ms for times in said for ms in times[step]] for step in said[0]}


def _report(console: Console, title: str, times: Times) -> None:
    whole = [sum(three) for three in zip(*times.values(), strict=True)]
    console.print(f"{title}: {len(whole)} requests")
    for step, values in [*times.items(), ("all three", whole)]:
        console.print(
            f"  {step:<10} median {median(values):6.2f} ms   95 % {quantiles(values, n=20)[-1]:6.2f} ms"
        )


def main(count: int) -> None:
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "server", databases=("assets", "operation"))
        with SharedServers(Path(folder) / "server", [postgres]):
            url = postgres.url("assets")
            migrations.migrate(url, postgres.url("operation"))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_WIDE)
            measure(url, "warm", 50)
            for title, run in [
                ("Alone", lambda: measure(url, "alone", count)),
                (f"Under {PROCESSES} processes", lambda: _together(url, count // PROCESSES)),
            ]:
                _report(console, title, run())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        json.dump(measure(sys.argv[2], sys.argv[3], int(sys.argv[4])), sys.stdout)
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_400)
