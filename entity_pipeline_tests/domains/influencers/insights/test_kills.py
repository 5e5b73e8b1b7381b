"""SIGKILL before and after every statement and HTTP call of submitting and collecting, then further runs.

Whatever the moment, Gemini makes one batch, each blog is described and paid for once, and the ledger's cost is the
stand-in's bill to the cent. Each run of the tests takes a few of the points; all with NIGHTLY.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.influencers.insights import kill_child
from entity_pipeline_tests.domains.influencers.insights.insight_cases import World, add_blog, world
from entity_pipeline_tests.domains.influencers.insights.kill_child import NAMES, PICTURES, FolderStore
from entity_pipeline_tests.reliability.kill_wire import (
    PHASES,
    HttpWire,
    Phase,
    PostgresWire,
    Watch,
    forwarded,
)
from entity_pipeline_tests.resources.gemini.batch_cases import bill, figures, pass_time

KILLED = -9
SAMPLE = 5


class Child:
    """The process of `kill_child`; `run` returns how an order ended."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, order: str, watch: Watch, database_url: str, gemini_url: str, folder: Path) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        values = {
            "order": order,
            "database_url": database_url,
            "gemini_url": gemini_url,
            "folder": str(folder),
        }
        self._process.stdin.write(json.dumps(values) + "\n")
        self._process.stdin.flush()
        watch.watch(int(self._process.stdout.readline()))
        return int(self._process.stdout.readline())


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with subprocess.Popen(
        [sys.executable, str(Path(kill_child.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        yield Child(process)
        process.communicate(timeout=30)


class Attack:
    """Three blogs that wait, in a database of their own."""

    def __init__(self, server: DatabaseServer, child: Child, folder: Path) -> None:
        self._server, self._child, self._folder = server, child, folder

    def points(self, order: str) -> list[str]:
        """What an undisturbed run sends."""
        watch = Watch()
        with self._server.clone("assets") as database, world(database) as made:
            self._prepare(made, order)
            assert self._run(made, order, watch) == 0
        return watch.points

    def kill(self, order: str, number: int, phase: Phase) -> list[str]:
        """End a run at a point and go on as the schedules do; returns what is wrong then."""
        with self._server.clone("assets") as database, world(database) as made:
            self._prepare(made, order)
            assert self._run(made, order, Watch(number, phase)) == KILLED
            made.pictures, made.store = dict(PICTURES), FolderStore(self._folder)  # type: ignore[assignment]
            for _ in range(6):
                self._pass_time(database, made)
                made.submit()
                made.collect(1)
            return faults(made)

    def _prepare(self, made: World, order: str) -> None:
        for name in NAMES:
            add_blog(made.database, name)
        made.standin.batches.bad_days.looks_until_ended = 0
        if order == "collect":
            assert self._run(made, "submit", Watch()) == 0

    def _run(self, made: World, order: str, watch: Watch) -> int:
        with (
            PostgresWire("assets", made.database.url, lambda: watch) as wire,
            HttpWire(
                "gemini", lambda request: _passed(request, made.standin.url, front.url), lambda: watch
            ) as front,
        ):
            ended = self._child.run(order, watch, wire.url, front.url, self._folder)
        # A statement that the dead process had sent may still be at work.
        while made.rows(
            "select from pg_stat_activity where datname = current_database() and state <> 'idle' "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        ):
            pass
        return ended

    def _pass_time(self, database: ClonedDatabase, made: World) -> None:
        made.run_sql(
            "update scrape_tasks set lease_until = now() - interval '1 second' where lease_until is not null"
        )
        pass_time(database, "21 minutes")
        with database.connection() as connection:
            STORE.recover(connection)
        made.due_now()


def _passed(request, url: str, front: str):  # type: ignore[no-untyped-def]
    """The stand-in's answer; the address that it names for uploads leads through the wire again."""
    from dataclasses import replace

    reply = forwarded(request, url)
    headers = {name: value.replace(url, front) for name, value in reply.headers.items()}
    return replace(reply, headers=headers)


def faults(made: World) -> list[str]:
    found = []
    if len(made.standin.batches.display_names) != 1:
        found.append(f"Gemini made {len(made.standin.batches.display_names)} batches")
    spent, states = figures(made.database)
    if len(made.standin.batches.billed) != 3 or spent != bill(made.standin):
        found.append(
            f"{len(made.standin.batches.billed)} answers were billed at {bill(made.standin)}, not {spent}"
        )
    if states.keys() - {"settled", "released"} or states["settled"] != 3:
        found.append(f"the ledger holds {dict(states)}")
    if set(made.tasks().values()) != {("done", None, 1)}:
        found.append(f"the tasks are {made.tasks()}")
    for name in NAMES:
        blog = made.blog(name)
        if blog["status"] != "active" or blog["insights"] is None or blog["meta"].get("pictures") != 1:
            found.append(f"{name} is {blog['status']} with {blog['meta'].get('pictures')} pictures")
        if made.categories(name) != {"pets": True, "family": False}:
            found.append(f"{name} has the categories {made.categories(name)}")
    return found


@pytest.fixture
def attack(database_server: DatabaseServer, child: Child, tmp_path: Path) -> Attack:
    return Attack(database_server, child, tmp_path)


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("order", ["submit", "collect"])
def test_insights_killed_at_any_point_are_paid_and_stored_once(attack: Attack, order: str) -> None:
    points = attack.points(order)
    assert len(points) > 10
    attacks = [(number, phase) for number in range(len(points)) for phase in PHASES]
    if not os.environ.get("NIGHTLY"):
        attacks = random.sample(attacks, SAMPLE)
    found = [
        f"{phase} {number} ({points[number][:80]}): {one}"
        for number, phase in attacks
        for one in attack.kill(order, number, phase)
    ]
    assert found == []
