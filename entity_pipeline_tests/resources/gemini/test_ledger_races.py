"""The cap under many threads and processes: exact, whatever the server's default isolation is."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from entity_pipeline.core.gemini.ledger import Refused
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import SENT, about, ask, capped, limit, states

THREADS, ATTEMPTS, CAP = 8, 40, 50


def race(database: ClonedDatabase) -> list[Any]:
    ledger = Ledger(database)
    limit(database, capped(CAP))

    def worker(number: int) -> list[Any]:
        answers = []
        for nth in range(ATTEMPTS):
            answers.append(ask(ledger, about(f"account_{number}_{nth}"), None))
            if isinstance(answers[-1], Reserved):
                ledger.mark_sent(answers[-1].event_id, SENT)
        return answers

    with ThreadPoolExecutor(THREADS) as pool:
        return [answer for answers in pool.map(worker, range(THREADS)) for answer in answers]


def test_threads_that_race_for_places_get_exactly_the_cap(assets_db: ClonedDatabase) -> None:
    answers = race(assets_db)
    places = [answer for answer in answers if isinstance(answer, Reserved)]
    assert len(places) == CAP
    assert len(answers) == THREADS * ATTEMPTS
    assert all(isinstance(answer, Reserved | Refused) for answer in answers)
    assert states(assets_db) == ["sent"] * CAP
    assert sorted(place.units_before for place in places) == list(range(CAP))


def test_a_server_that_defaults_to_repeatable_read_does_not_oversell(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any]
) -> None:
    assets.execute(
        f"alter database \"{assets.info.dbname}\" set default_transaction_isolation = 'repeatable read'"
    )
    assert sum(isinstance(answer, Reserved) for answer in race(assets_db)) == CAP
    assert states(assets_db) == ["sent"] * CAP


_RESERVES = """
import sys
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline.resources.postgres import open_database
from entity_pipeline_tests.resources.gemini.ledger_cases import FLASH, about

url, name = sys.argv[1:]
with open_database(url) as database:
    ledger = Ledger(database)
    ledger.status(FLASH)
    print("ready", flush=True)
    sys.stdin.readline()
    for nth in range(20):
        print(type(ledger.reserve(about(f"{name}_{nth}"), 1, name)).__name__, flush=True)
"""


def _child(url: str, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _RESERVES, url, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_processes_that_race_for_places_get_exactly_the_cap(assets_db: ClonedDatabase) -> None:
    limit(assets_db, capped(30))
    children = [_child(assets_db.url, f"process_{number}") for number in range(3)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate(timeout=60)[0].split() for child in children]
    assert sum(words.count("Reserved") for words in said) == 30
    assert sum(words.count("Refused") for words in said) == 30
    assert states(assets_db) == ["reserved"] * 30
