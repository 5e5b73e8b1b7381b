"""The soak's week itself: ticks, troubles, the end of the week, and what is counted.

The order within a tick is a daemon's: sensors and schedules are evaluated, then what they asked for is executed,
while people and failing databases get in between.
"""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.domains.entities.graph import reasons
from entity_pipeline_tests.reliability.soak_automation import (
    Automation,
    end_as_the_monitor_does,
    record_cancelled,
)
from entity_pipeline_tests.reliability.soak_clock import SimulatedTime
from entity_pipeline_tests.reliability.soak_installation import (
    Addresses,
    Launched,
    dagster_instance,
    definitions,
    every_log_line,
    execute,
    make_dagster_home,
    waits_are_simulated,
)
from entity_pipeline_tests.reliability.soak_invariants import (
    CHECKS,
    EVERY_TICK,
    Evidence,
    every_account_has_one_state,
    nothing_is_left_pending,
)
from entity_pipeline_tests.reliability.soak_judges import (
    CapJudge,
    MoodyStore,
    WatchedGemini,
    WatchedInstagram,
    utc_day,
)
from entity_pipeline_tests.reliability.soak_people import People
from entity_pipeline_tests.reliability.soak_sabotage import Sabotage, Saboteur
from entity_pipeline_tests.reliability.soak_undo import catalog, differences_after_undo
from entity_pipeline_tests.reliability.soak_worker import Worker
from entity_pipeline_tests.reliability.soak_world import World

START = datetime(2026, 10, 28, 16, tzinfo=UTC)  # clocks in Los Angeles go back on 2026-11-01
TICK = timedelta(minutes=15)
TICKS_A_DAY = 96
_POSTING_SHARE = 0.25  # of the ticks
_ACTING_SHARE = 0.2  # of the ticks, once before the runs and once while they work
_OUTAGE_SHARE = 0.025  # of the ticks
_WORKER_SHARE = 0.3  # of the ticks with runs: one of them may be killed
_STRUCK_SHARE = 0.15  # of the other runs
_LONGEST_END = 2 * TICKS_A_DAY  # a blocked day, then deferred accounts, then what waits for them
_TICKS_AFTER_THE_END = 3  # for intake runs that are asked for again


@dataclass
class Report:
    """What a soak did, and every broken promise."""

    seed: int
    days: int
    counts: Counter[str] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)
    seconds: float = 0.0
    waits: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


class Soak:
    """One installation and its week; made by `soak`."""

    def __init__(
        self,
        seed: int,
        days: int,
        accounts_a_day: int,
        stack: ExitStack,
        server: DatabaseServer,
        folder: Path,
        tell: Callable[[str], None],
    ) -> None:
        self.chance = random.Random(f"soak {seed}")
        self.report = Report(seed, days)
        self._tell = tell
        self._stack = stack
        self._databases = [stack.enter_context(server.clone(kind)) for kind in ("assets", "operation")]
        self._admin = stack.enter_context(psycopg.connect(server.url("postgres"), autocommit=True))
        clock_path = folder / "clock"
        self.clock = SimulatedTime(clock_path)
        self.clock.advance_to(START)
        for database in self._databases:
            self.clock.govern(database.url)
        stack.enter_context(self.clock)
        home = folder / "home"
        make_dagster_home(home)
        stack.enter_context(every_log_line(home / "soak.log"))
        stack.enter_context(waits_are_simulated(self.clock))
        self.saboteur = Saboteur()
        stack.callback(self.saboteur.leave)
        self.world = World.made(seed, days, accounts_a_day)
        self.judge = CapJudge(self.clock)
        self._key = f"soak-{secrets.token_hex(16)}"
        self.gemini = stack.enter_context(WatchedGemini(self.judge, self.world.truth, seed, self._key))
        self.instagram = stack.enter_context(WatchedInstagram(self.clock, self.world.truth, seed))
        self.pictures = MoodyStore(seed)
        assets_url, operation_url = (database.url for database in self._databases)
        self.people = People(
            random.Random(f"people {seed}"), assets_url, operation_url, self.judge, usual_cap=accounts_a_day
        )
        addresses = Addresses(
            assets_url, operation_url, self.gemini.url, self.instagram.url, self._key, str(home)
        )
        self.worker = stack.enter_context(Worker(addresses, clock_path))
        self.instance = stack.enter_context(dagster_instance(home))
        self.definitions = definitions(addresses, self.pictures)
        resources = self.definitions.get_repository_def().get_top_level_resources()
        self.automation = Automation(self.definitions, self.instance, dict(resources))
        self.evidence = self._evidence(home)
        self._outage = False

    def week(self) -> Report:
        """Run the whole week."""
        began = time.monotonic()
        self.people.begin()
        for tick in range(self.report.days * TICKS_A_DAY):
            if tick % TICKS_A_DAY == 0:
                self._tell(f"Day {tick // TICKS_A_DAY + 1}: {self.report.counts['runs']:,} runs so far.")
            self._tick(START + tick * TICK, calm=False)
            if self.report.breaches:
                break
        else:
            self._end_of_week()
            for check in CHECKS:
                found = check(self.evidence)
                self.report.breaches += (f"{check.__name__}: {breach}" for breach in found)
        self._sum_up()
        self.report.seconds = time.monotonic() - began
        return self.report

    def _tick(self, at: datetime, *, calm: bool) -> None:
        self.clock.advance_to(at)
        self.report.counts["ticks"] += 1
        outage = None if calm else self._trouble()
        self.people.between_ticks()
        if not calm:
            self._posts_arrive()
        queue = self.automation.requests_of_sensors() + self.automation.requests_of_schedule(at)
        if at.hour % 4 == 0 and at.minute < 15:
            queue.append(Launched("spend_job", None, {}, {}))
        if not calm and self.chance.random() < _ACTING_SHARE:
            with suppress(psycopg.OperationalError):
                self.people.act()  # while the runs are in the queue
        if self.people.is_off:
            queue = self._cancelled(queue)
        acting = None if calm else self._a_person_acts()
        self._execute(queue, calm=calm, alone=acting is None and outage is None)
        for thread in filter(None, (outage, acting)):
            thread.join()
        self.report.counts["runs ended by the monitor"] += end_as_the_monitor_does(self.instance)
        for check in EVERY_TICK:
            found = check(self.evidence)
            self.report.breaches += (f"{at:%m-%d %H:%M} {check.__name__}: {breach}" for breach in found)

    def _cancelled(self, queue: list[Launched]) -> list[Launched]:
        """Cancel queued runs as `switch_off_sensor` does."""
        kept = [run for run in queue if run.job == "spend_job"]
        for run in queue:
            if run.job != "spend_job":
                record_cancelled(self.definitions, self.instance, run)
                self.report.counts["queued runs cancelled"] += 1
        return kept

    def _posts_arrive(self) -> None:
        if self.report.counts["ticks"] > 1 and self.chance.random() > _POSTING_SHARE:
            return
        most = 2 * self.world.accounts_a_day / (TICKS_A_DAY * _POSTING_SHARE)
        arrivals = round(self.chance.uniform(0, most))
        if self.report.counts["ticks"] == 1:
            arrivals = self.world.accounts_a_day
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(self._databases[0].url, autocommit=True) as assets,
        ):
            self.report.counts["posts"] += self.world.post(assets, self.clock.now(), arrivals)

    def _a_person_acts(self) -> threading.Thread | None:
        if self.chance.random() > _ACTING_SHARE:
            return None
        pause_s = self.chance.uniform(0, 0.2)

        def act() -> None:
            self.saboteur.spare_this_thread()
            time.sleep(pause_s)
            with suppress(psycopg.OperationalError):  # people wait for the database too
                self.people.act()

        return _started(act)

    def _trouble(self) -> threading.Thread | None:
        """For a moment, or for a tick, one database or both refuse connections."""
        if self.chance.random() > _OUTAGE_SHARE:
            return None
        names = [database.url.rsplit("/", 1)[1].split("?")[0] for database in self._databases]
        chosen = self.chance.choice((names[:1], names[1:], names))
        lasts_s, pause_s = self.chance.choice((0.1, 0.4, 1.5)), self.chance.uniform(0, 0.3)
        self.report.counts["database failures"] += len(chosen)

        def fail() -> None:
            self.saboteur.spare_this_thread()
            time.sleep(pause_s)
            for name in chosen:
                self._admin.execute(f'alter database "{name}" with allow_connections false')
                self._admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
                )
            time.sleep(lasts_s)
            for name in chosen:
                self._admin.execute(f'alter database "{name}" with allow_connections true')

        return _started(fail)

    def _execute(self, queue: list[Launched], *, calm: bool, alone: bool = False) -> None:
        """Execute runs: at most one in the worker, which may be killed, and those of other jobs in this process."""
        self.chance.shuffle(queue)
        aside: list[Launched] = []
        in_worker: Launched | None = None
        if queue and not calm and self.chance.random() < _WORKER_SHARE:
            in_worker = queue.pop()
            aside = [run for run in queue if run.job == in_worker.job]
            queue = [run for run in queue if run.job != in_worker.job]
            self.worker.begin(in_worker, Sabotage.drawn(self.chance, deadly=True))
        for run in queue:
            if run.job == "linking_job" and alone and in_worker is None:
                self._execute_and_try_undo(run)
            else:
                self._execute_here(run, calm=calm)
        if in_worker is not None:
            ended = self.worker.outcome()
            self.report.counts["runs"] += 1
            self.report.counts[f"runs in the worker: {ended}"] += 1
            self.report.counts["runs ended by the monitor"] += end_as_the_monitor_does(self.instance)
        for run in aside:
            self._execute_here(run, calm=calm)

    def _execute_and_try_undo(self, run: Launched) -> None:
        operation = self._databases[1]
        with operation.connection() as connection:
            before = catalog(connection)
        self._execute_here(run, calm=True)
        run_id = self.instance.get_runs(limit=1)[0].run_id
        differences = differences_after_undo(operation, before, run_id)
        self.report.counts["undos tried"] += differences is not None
        self.report.breaches += differences or []

    def _execute_here(self, run: Launched, *, calm: bool) -> None:
        troubled = not calm and self.chance.random() < _STRUCK_SHARE
        self.saboteur.arm(Sabotage.drawn(self.chance, deadly=False) if troubled else None)
        result = execute(self.definitions, self.instance, run)
        struck = self.saboteur.disarm()
        self.report.counts["runs"] += 1
        self.report.counts[run.job] += 1
        self.report.counts["runs struck by a failure"] += struck
        if not result.success:
            self.report.counts["runs that failed"] += 1
            self.report.failures.update(reasons(result) or ["a run failed without a reason"])

    def _end_of_week(self) -> None:
        """When the chaos is over and there is quota, everything must finish without help."""
        for service in (self.gemini, self.instagram, self.pictures):
            service.calm()
        self.people.end_of_week()
        at = self.clock.now()
        finished = 0
        while (
            finished < _TICKS_AFTER_THE_END
            and self.report.counts["ticks until all was finished"] < _LONGEST_END
        ):
            at = max(at + TICK, self.clock.now())
            self._tick(at, calm=True)
            self.report.counts["ticks until all was finished"] += 1
            waiting = nothing_is_left_pending(self.evidence) or every_account_has_one_state(self.evidence)
            finished = 0 if waiting else finished + 1
        self.clock.sleep(120)
        self._execute([Launched("spend_job", None, {}, {})], calm=True)

    def _evidence(self, home: Path) -> Evidence:
        return Evidence(
            assets=self._databases[0],
            operation=self._databases[1],
            instance=self.instance,
            judge=self.judge,
            gemini=self.gemini,
            instagram=self.instagram,
            pictures=self.pictures,
            people=self.people,
            secrets=[self._key],
            folder=home,
            tags=self._tags,
        )

    def _tags(self) -> Counter[tuple[date, str]]:
        """Posts by day and account, counted from the generated posts."""
        counted: Counter[tuple[date, str]] = Counter()
        for _, collected, tags in self.world.posts:
            day = max(utc_day(collected), FIRST_DAY)
            names = {handle_or_none(tag) for tag in tags if isinstance(tag, str)} - {None}
            counted.update((day, str(name)) for name in names)
        return counted

    def _sum_up(self) -> None:
        counts = self.report.counts
        self.report.waits = self.automation.why_waiting
        self.report.failures.update(self.automation.failed_ticks)
        counts["accounts"] = len({name for _, name in self._tags()})
        counts["requests to Gemini, grounded"] = sum(
            n for (_, grounded), n in self.gemini.all.items() if grounded
        )
        counts["requests to Gemini, repairs"] = sum(
            n for (_, grounded), n in self.gemini.all.items() if not grounded
        )
        counts["days at the cap"] = len(self.judge.days_at_cap)
        counts["pages of Instagram"] = len(self.instagram.pages)
        counts["pictures stored"] = len(self.pictures.objects)
        counts["uploads refused"] = self.pictures.refused
        counts["acts of people and other pipelines"] = self.people.acts.total()
        counts["ticks of sensors and schedules"] = self.automation.counts["ticks evaluated"]
        counts["such ticks that failed"] = len(self.automation.failed_ticks)
        counts["invariants checked at the end"] = len(CHECKS)
        counts["invariants checked at every tick"] = len(EVERY_TICK)
        for status, answers in self.gemini.requests["by_status"].items():
            counts[f"answers of Gemini: {status}"] = answers


def _started(action: Any) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread
