"""The cap under many processes with many threads, straight and through a pooler in transaction mode.

What the racers say they sent is the judge, not the ledger's rows. LEDGER_RACE=8x25x200 asks for 8 processes of
25 threads and 200 rounds; the figures are printed with `-s`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.pgbouncer import transaction_pooler
from entity_pipeline_tests.resources.gemini import ledger_racer

PROCESSES, THREADS, ROUNDS = map(int, os.environ.get("LEDGER_RACE", "4x10x2").split("x"))
CAP = 50

Racer = subprocess.Popen[str]


@contextmanager
def _racer(url: str, name: str) -> Iterator[Racer]:
    with subprocess.Popen(
        [sys.executable, str(Path(ledger_racer.__file__)), url, name, str(THREADS), str(CAP)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _tell(racer: Racer, line: str) -> None:
    assert racer.stdin is not None
    racer.stdin.write(line + "\n")
    racer.stdin.flush()


def _hear(racer: Racer) -> str:
    assert racer.stdout is not None
    return racer.stdout.readline().strip()


def _race(url: str, assets: psycopg.Connection[Any], way: str) -> None:
    asked, began = 0, time.monotonic()
    assets.execute(
        "update pipeline_settings set settings = %s where platform = 'gemini'",
        [Jsonb({"daily_grounding_cap": CAP, "requests_per_minute": 1_000_000})],
    )
    with ExitStack() as stack:
        racers = [stack.enter_context(_racer(url, f"process-{number}")) for number in range(PROCESSES)]
        assert [_hear(racer) for racer in racers] == ["ready"] * PROCESSES
        for nth in range(ROUNDS):
            assets.execute("truncate gemini_usage_events")
            for racer in racers:
                _tell(racer, f"{nth} {'together' if nth % 2 else 'apart'}")
            said = [json.loads(_hear(racer)) for racer in racers]
            sent = [subject for words in said for subject in words["sent"]]
            asked += sum(words["asked"] for words in said)
            assert len(sent) == CAP, f"round {nth}"
            assert len(set(sent)) == CAP, f"round {nth}: an account was sent twice"
            rows = assets.execute("select subject, state from gemini_usage_events").fetchall()
            assert sorted(rows) == sorted((subject, "sent") for subject in sent), f"round {nth}"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.close()
    sys.stdout.write(
        f"\n{way}: {PROCESSES} processes x {THREADS} threads, {ROUNDS} rounds, {asked} requests for a place, "
        f"{ROUNDS * CAP} granted, oversold 0, {time.monotonic() - began:.1f} s\n"
    )


@pytest.mark.timeout(120 + 10 * ROUNDS)
def test_processes_get_exactly_the_cap_and_no_account_twice(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any]
) -> None:
    _race(assets_db.url, assets, "straight")


@pytest.mark.needs_pgbouncer
@pytest.mark.timeout(120 + 10 * ROUNDS)
def test_processes_behind_a_transaction_pooler_get_exactly_the_cap_and_no_account_twice(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any], fast_path: Path
) -> None:
    with transaction_pooler(assets_db.url, fast_path) as url:
        _race(url, assets, "through pgbouncer")
