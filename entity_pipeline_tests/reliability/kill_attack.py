"""One stage after the other, undisturbed and then killed at a point, run again and compared."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.reliability import kill_child
from entity_pipeline_tests.reliability.kill_cohort import MONDAY, THURSDAY, WEDNESDAY, fill
from entity_pipeline_tests.reliability.kill_ground import IMAGE, NOTE, Ground, ground
from entity_pipeline_tests.reliability.kill_rows import (
    Rows,
    differences,
    half_written,
    with_edits,
    without_audited_images,
)
from entity_pipeline_tests.reliability.kill_wire import Phase, Watch

KILLED = -9
ONE_PROFILE = 2  # requests: the account's page and the canary's


@dataclass(frozen=True)
class Step:
    """One asset over some days. `again` does the rest after a kill: the way of the command, or the asset itself.

    `ends_as` is the step after which the rows are those that the second run must end in.
    """

    name: str
    asset: str
    days: tuple[date, date]
    again: str
    ends_as: str
    attacked: bool = True


_ONE, _EARLY, _ALL = (MONDAY, MONDAY), (MONDAY, WEDNESDAY), (MONDAY, THURSDAY)
STEPS = (
    Step("tagged_usernames", "tagged_usernames", _ALL, "intake", "instagram_accounts"),
    Step("instagram_accounts", "instagram_accounts", _ALL, "intake", "instagram_accounts"),
    Step("instagram_profiles", "instagram_profiles", _ONE, "instagram_profiles", "instagram_profiles"),
    Step("other_profiles", "instagram_profiles", _ALL, "", "", attacked=False),
    Step("gemini_reviews", "gemini_reviews", _EARLY, "review", "gemini_reviews"),
    Step("refused_once", "gemini_reviews", (THURSDAY, THURSDAY), "review", "refused_once"),
    Step("catalog_links", "catalog_links", _ALL, "link", "catalog_links"),
)
ATTACKED = {step.name: step for step in STEPS if step.attacked}


@dataclass
class Undisturbed:
    """What a step was before, did, and left behind."""

    before: Rows
    points: list[str]
    paid: Counter[tuple[str, bool]]
    requests: Counter[str]
    after: Rows = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Survived:
    """One kill and what was wrong after it, one line each. `paid_again` was on the wire at the kill."""

    point: str
    faults: list[str]
    paid_again: int


class Attack:
    """Made by `attack`: the undisturbed steps are known, and kills can begin."""

    def __init__(self, installation: Ground, child: "Child") -> None:
        self._ground = installation
        self._child = child
        self._since = datetime.now(UTC) - timedelta(minutes=10)
        self.undisturbed: dict[str, Undisturbed] = {}

    def walk(self) -> None:
        """Every step undisturbed, each from where the last one ended."""
        for step in STEPS:
            if step.asset == "gemini_reviews":
                self._ground.put_profiles_off()
            before = self._ground.keep(step.name)
            self._ground.forget()
            watch = self._run(step, step.asset, Watch(), here=True)
            after = self._ground.rows()
            self.undisturbed[step.name] = Undisturbed(
                before,
                watch.points,
                self._ground.paid(),
                _requests(before, after),
                after,
                dict(self._ground.objects),
            )

    def kill(self, step: Step, number: int, phase: Phase) -> Survived:
        """End the process at a point, inspect, let a person edit, run again, and compare."""
        installation, expected = self._ground, self.undisturbed[step.ends_as]
        before = self.undisturbed[step.name].before
        installation.go_back(step.name)
        watch = self._run(step, step.asset, Watch(number, phase), ends_with=KILLED)
        faults = [f"half written: {line}" for line in half_written(before, installation.rows())]
        on_the_wire = installation.on_the_wire()
        edited = installation.edit()
        installation.let_time_pass()
        self._run(step, step.again, Watch())
        installation.sweep()
        now = installation.rows()
        wished = with_edits(expected.after, edited, NOTE, IMAGE)
        sides = [without_audited_images(rows, edited) for rows in (wished, now)]
        faults += differences(sides[0], sides[1], self._since)
        faults += _logs(expected, before, now)
        again = installation.paid() - self.undisturbed[step.name].paid
        if any(count > 1 or username not in on_the_wire for (username, _), count in again.items()):
            faults.append(f"paid twice: {dict(again)}, on the wire was {on_the_wire or 'no account'}")
        if installation.objects != expected.objects:
            faults.append("the object store holds other pictures")
        return Survived(f"{phase} {number}: {watch.points[number]}", faults, again.total())

    def _run(self, step: Step, what: str, watch: Watch, *, here: bool = False, ends_with: int = 0) -> Watch:
        days = [day.isoformat() for day in step.days]
        self._ground.watch = watch
        code = self._child.run(watch, what=what, days=days, here=here)
        self._ground.wait_until_left()
        assert code == ends_with, f"{step.name} ended with {code}: {self._child.said()}"
        return watch


def _logs(expected: Undisturbed, before: Rows, now: Rows) -> list[str]:
    """A kill leaves at most one more request in each log, and no claim open."""
    faults = []
    ledger = now["gemini_usage_events"]
    states = Counter(row["state"] for row in ledger) - Counter(
        row["state"] for row in expected.after["gemini_usage_events"]
    )
    if states.total() > 1 or not states.keys() <= {"released", "unknown"}:
        faults.append(f"the ledger has too many rows: {dict(states)}")
    again = _requests(before, now) - expected.requests
    if again["profile"] > ONE_PROFILE or again["picture"] > 1 or again.keys() - {"profile", "picture"}:
        faults.append(f"{dict(again)} requests to Instagram beyond {dict(expected.requests)}")
    return faults


def _requests(before: Rows, after: Rows) -> Counter[str]:
    """Requests to Instagram that were logged meanwhile, by operation."""
    logs = [Counter(row["operation"] for row in rows["instagram_request_log"]) for rows in (after, before)]
    return logs[0] - logs[1]


class Child:
    """The process that forks those that are killed; see `kill_child`."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def run(self, watch: Watch, **order: Any) -> int:
        """One run under a watch; returns how it ended, negative for a signal."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        watch.watch(self._hear("pid"))
        return self._hear("code")

    def said(self) -> str:
        return self._log.read_text()[-4_000:]

    def _hear(self, key: str) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.said()
        return int(json.loads(line)[key])


@contextmanager
def child_in(environment: Mapping[str, str]) -> Iterator[Child]:
    """The process, with these variables."""
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "log", "w") as log:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_")}
        variables |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1", **environment}
        with subprocess.Popen(
            [sys.executable, str(Path(kill_child.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=variables,
        ) as process:
            try:
                yield Child(process, Path(folder) / "log")
            finally:
                process.kill()


@contextmanager
def attack(server: DatabaseServer) -> Iterator[Attack]:
    """The attack with its undisturbed run done."""
    with ground(server) as installation, child_in(installation.environment()) as child:
        fill(*installation.databases, concurrency=1)
        made = Attack(installation, child)
        made.walk()
        yield made
