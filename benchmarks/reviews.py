"""Reviews of 1,500 accounts at concurrency 16, each answered after 2 s: wall time against the ideal, and the ledger.

    .venv/bin/python benchmarks/reviews.py [--short] [--accounts 1500] [--concurrency 16]

One embedded server and one Gemini stand-in without limits, one after the other: the ledger's three writes alone; a
plain asyncio loop that sends the same prompts with the SDK's own async client, without ledger, database or
Dagster; and `gemini_reviews` as `entity-pipeline enrich` runs it, with Dagster's storage on the same server.
Reviews wait nearly all the time, so a busy machine hardly shows in the wall time, but many times over in
the ledger's milliseconds; the cost of flushing a file beside them says how busy the disk was.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median, quantiles
from threading import get_ident
from typing import Any

import psycopg
from ledger_cost import measure
from machine import described
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.core.gemini.request import Generation
from entity_pipeline.domains.entities.reviews import prompts
from entity_pipeline.sandbox.environment import Sandbox
from entity_pipeline.sandbox.loopback_http import Reply, Request
from entity_pipeline_tests.standins import GeminiStandin

ANSWER_S = 2.0
MODEL = "gemini-2.5-flash"
STEPS = ("reserve", "mark_sent", "settle")
_SETTINGS = """
update pipeline_settings set is_enabled = true, settings = case platform
    when 'gemini' then
      '{"daily_grounding_cap": 1000000, "requests_per_minute": 1000000, "daily_spend_usd": 1000000}'
    else jsonb_build_object('concurrency', %s::int) end
where platform in ('entity_enrichment', 'gemini')
"""
_ACCOUNTS = """
insert into instagram_accounts (username, metadata)
select 'account_' || n, jsonb_build_object('entity_enrichment', jsonb_build_object(
  'cohort', (now() at time zone 'utc')::date, 'tagging', jsonb_build_object('posts', n)))
from generate_series(1, %s) n
"""


class PatientStandin(GeminiStandin):
    """Answers every request for a model after exactly ANSWER_S."""

    def _respond(self, request: Request) -> Reply:
        reply = super()._respond(request)
        return replace(reply, after_s=ANSWER_S) if request.method == "POST" else reply


def serve() -> None:
    """Run the stand-in as a separate process, which ends with its standard input."""
    with PatientStandin(latency_ms=0) as standin:
        sys.stdout.write(f"{standin.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


async def _plain(accounts: int, concurrency: int) -> dict[str, Any]:
    from google import genai
    from google.genai import types

    client = genai.Client(
        api_key=os.environ["GEMINI_API_KEY"],
        http_options=types.HttpOptions(base_url=os.environ["GEMINI_BASE_URL"], api_version="v1beta"),
    ).aio
    numbers, seconds, settings = iter(range(1, accounts + 1)), [], Generation()

    async def worker() -> None:
        for number in numbers:
            facts = {"username": f"account_{number}", "tagged_in_posts": number}
            rendered = prompts.review_prompt(facts, secrets.token_hex(16))
            sent_at = time.perf_counter()
            await client.models.generate_content(
                model=MODEL,
                contents=rendered.text,
                config=types.GenerateContentConfig(
                    system_instruction=rendered.system,
                    temperature=settings.temperature,
                    max_output_tokens=settings.max_output_tokens,
                    thinking_config=types.ThinkingConfig(thinking_budget=settings.thinking_budget),
                    tools=[types.Tool(google_search=types.GoogleSearch())],
                ),
            )
            seconds.append(time.perf_counter() - sent_at)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return {"wall_s": time.perf_counter() - began, "answer_s": fmean(seconds)}


def _ours() -> dict[str, Any]:
    """The reviews stage of `enrich`; with the milliseconds of each of the ledger's writes, and of each answer."""
    from entity_pipeline.domains.entities.commands.pipeline import pipeline
    from entity_pipeline.resources.gemini.client import GeminiClient
    from entity_pipeline.resources.gemini.ledger import Ledger

    taken: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for owner, name in [*((Ledger, step) for step in STEPS), (GeminiClient, "send")]:
        setattr(owner, name, _timed(getattr(owner, name), taken[name]))
    began = time.perf_counter()
    with pipeline() as stages:
        opened_at = time.perf_counter()
        stages.review()
        ended_at = time.perf_counter()
    # An account's writes are made by one thread, in order: sorted alike, the three lists speak of the same request.
    times = {
        name: [ms for _, mss in sorted(by_thread.items()) for ms in mss] for name, by_thread in taken.items()
    }
    return {
        "opening_s": opened_at - began,
        "wall_s": ended_at - opened_at,
        "cpu_s": time.process_time(),
        "answer_s": fmean(times.pop("send")) / 1_000,
        "ledger_ms": times,
    }


def _timed(method: Any, taken: dict[int, list[float]]) -> Any:
    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = method(*arguments, **named)
        taken[get_ident()].append((time.perf_counter() - began) * 1_000)
        return result

    return timed


def _in_a_process(environment: dict[str, str], *arguments: str) -> Any:
    ended = subprocess.run(
        [sys.executable, __file__, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(ended.stdout)


@contextmanager
def _standin(environment: dict[str, str]) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _prepare(environment: dict[str, str], accounts: int, concurrency: int) -> None:
    migrations.migrate(environment["ASSETS_DATABASE_URL"], environment["OPERATION_DATABASE_URL"])
    with psycopg.connect(environment["ASSETS_DATABASE_URL"], autocommit=True) as assets:
        assets.execute(_SETTINGS, [concurrency])
    with psycopg.connect(environment["OPERATION_DATABASE_URL"], autocommit=True) as operation:
        operation.execute(_ACCOUNTS, [accounts])
        operation.execute("vacuum analyze")
    shutil.copyfile(
        Path(__file__).parents[1] / "dagster.yaml", Path(environment["DAGSTER_HOME"]) / "dagster.yaml"
    )


def _reviewed(environment: dict[str, str]) -> int:
    with psycopg.connect(environment["OPERATION_DATABASE_URL"], autocommit=True) as operation:
        row = operation.execute(
            "select count(*) from instagram_accounts "
            "where metadata #>> '{entity_enrichment,gemini_review,status}' = 'reviewed'"
        ).fetchone()
    return int(row[0]) if row else 0


def _flush_ms(folder: Path) -> float:
    """The median time this disk takes to flush 8 kB, of 100 tries."""
    taken = []
    with open(folder / "flushed", "wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(8_192))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1_000)
    return median(taken)


def _ledger_row(table: Table, name: str, times: dict[str, list[float]], flush_ms: float) -> None:
    whole = [sum(three) for three in zip(*times.values(), strict=True)]
    cells = [f"{fmean(values):.2f}" for values in [*times.values(), whole]]
    table.add_row(
        name, *cells, f"{median(whole):.2f}", f"{quantiles(whole, n=20)[-1]:.2f}", f"{flush_ms:.2f}"
    )


def main(accounts: int, concurrency: int) -> None:
    console = Console(highlight=False, width=120)
    ideal_s = accounts * ANSWER_S / concurrency
    console.print(described())
    console.print(
        f"{accounts:,} accounts, {ANSWER_S:.0f} s an answer, {concurrency} at once: ideal {ideal_s:.1f} s"
    )
    walls = Table("reviews", "wall s", "/ ideal", "an answer took s", title="Wall time")
    costs = Table(
        "ms", *STEPS, "all three, mean", "median", "95 % below", "a flush", title="The ledger's writes, mean"
    )
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as folder:
        with Sandbox(Path(folder) / "sandbox") as servers:
            environment = {**os.environ, **servers}
            _prepare(environment, accounts, concurrency)
            measure(environment["ASSETS_DATABASE_URL"], "warm", 50)
            flush_ms = _flush_ms(Path(folder))
            alone = measure(environment["ASSETS_DATABASE_URL"], "alone", min(accounts, 1_400))
            _ledger_row(costs, "alone", alone, flush_ms)
            with psycopg.connect(environment["ASSETS_DATABASE_URL"], autocommit=True) as assets:
                assets.execute("truncate gemini_usage_events")
            with _standin(environment) as url:
                environment["GEMINI_BASE_URL"] = url
                sizes = [str(accounts), str(concurrency)]
                plain = _in_a_process(environment, "--plain", *sizes)
                flush_ms = _flush_ms(Path(folder))
                ours = _in_a_process(environment, "--ours")
            reviewed = _reviewed(environment)
    for name, run in [("asyncio loop, SDK alone", plain), ("gemini_reviews", ours)]:
        walls.add_row(
            name, f"{run['wall_s']:.1f}", f"{run['wall_s'] / ideal_s:.3f}", f"{run['answer_s']:.3f}"
        )
    _ledger_row(costs, f"in that run, {concurrency} threads", ours["ledger_ms"], flush_ms)
    console.print(walls, costs)
    console.print(
        f"{reviewed:,} of {accounts:,} reviewed. Ours / asyncio loop: {ours['wall_s'] / plain['wall_s']:.3f}. "
        f"Opening resources and Dagster: {ours['opening_s']:.1f} s before. "
        f"Processor time of ours: {ours['cpu_s']:.1f} s."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Reviews against the ideal.")
    parser.add_argument("--accounts", type=int, default=1_500)
    parser.add_argument("--short", action="store_true", help="160 accounts")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--plain", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    elif options.ours:
        json.dump(_ours(), sys.stdout)
    elif options.plain:
        json.dump(asyncio.run(_plain(*options.plain)), sys.stdout)
    else:
        main(160 if options.short else options.accounts, options.concurrency)
