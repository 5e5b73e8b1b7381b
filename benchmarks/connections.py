"""How many connections each process of a deployment holds: at rest, and at most while everything is busy.

    PYTHONPATH=. .venv/bin/python benchmarks/connections.py

Starts its own PostgreSQL, webserver, daemon, code location and administration page as in `deploy/`, then runs
jobs with 16 reviews at once and asks the page from 20 clients. The server knows clients only by their port,
so the process of a connection is found by looking for the holder of its other end.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import psutil
import psycopg
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.table import Table

from entity_pipeline import migrations
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres
from entity_pipeline.sandbox.processes import LOOPBACK, free_port
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.deploy.topology import Topology, wait_for
from entity_pipeline_tests.standins import GeminiStandin

ACCOUNTS = 200
CLIENTS = 20
REST_S = 40
DAY = FIRST_DAY.isoformat()
TOKEN = "a token of the benchmark, and long enough"  # noqa: S105
PAGES = (
    "/api/v1/health",
    "/api/v1/scheduler",
    "/api/v1/quota",
    "/api/v1/queue",
    "/api/v1/accounts/stranger1",
)
SETTINGS = {
    "gemini": {"requests_per_minute": 10_000, "daily_spend_usd": 1_000},
    "entity_enrichment": {"concurrency": 16},
}
DATABASES = ("assets", "operation", "dagster")

_HERE = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Held = Counter[tuple[str, str]]


class Sampler:
    """Counts connections by process and database, ten times a second, until `stop`."""

    def __init__(self, url: str, names: Mapping[int, str]) -> None:
        self._url, self._names = url, names
        self.samples: list[Held] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> list[Held]:
        self._stop.set()
        self._thread.join()
        return self.samples

    def _work(self) -> None:
        with psycopg.connect(self._url, autocommit=True, application_name="sampler") as connection:
            owners = self._owners()
            while not self._stop.wait(0.05):
                rows = connection.execute(
                    "select client_port, datname from pg_stat_activity where backend_type = 'client backend' "
                    "and application_name <> 'sampler' and datname = any(%s)",
                    [list(DATABASES)],
                ).fetchall()
                # What was opened or closed between the two looks is in one of them.
                before, owners = owners, self._owners()
                both = before | owners
                self.samples.append(
                    Counter((self._name(both.get(port)), database) for port, database in rows)
                )

    def _owners(self) -> dict[int, int]:
        """Processes by the port of their end of a connection."""
        return {one.laddr.port: one.pid for one in psutil.net_connections("tcp") if one.pid and one.laddr}

    def _name(self, pid: int | None) -> str:
        """Which of our processes it is; each one that the code location started is a run."""
        if pid in self._names:
            return self._names[pid]
        try:
            parents = [one.pid for one in psutil.Process(pid).parents()] if pid else None
        except psutil.Error:
            parents = None
        if parents is None:
            return "closed meanwhile"
        of = next((self._names[parent] for parent in parents if parent in self._names), "this script")
        return f"a run {pid}" if of == "code location" else of


def most(samples: list[Held]) -> dict[str, Counter[str]]:
    """For each process, the most connections to each database and to all of them at once; runs are one process."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        together: Counter[str] = Counter()
        for (name, database), count in sample.items():
            together[name] += count
            kind = _kind(name)
            found[kind][database] = max(found[kind][database], count)
        for name, count in together.items():
            kind = _kind(name)
            found[kind]["together"] = max(found[kind]["together"], count)
    return found


def _kind(name: str) -> str:
    return "a run" if name.startswith("a run") else name


def at_rest(samples: list[Held]) -> dict[str, float]:
    """For each process, the median over all databases together."""
    names = {name for sample in samples for name, _ in sample}
    return {
        name: median(sum(count for (one, _), count in sample.items() if one == name) for sample in samples)
        for name in names
    }


def start(program: str, environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        command = [sys.executable, "-c", program]
        return subprocess.Popen(command, env=dict(environment), stdout=output, stderr=output, cwd=log.parent)


def ask(port: int, path: str) -> int:
    request = urllib.request.Request(
        f"http://{LOOPBACK}:{port}{path}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    try:
        with _HERE.open(request, timeout=60) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def fill(postgres: EmbeddedPostgres) -> None:
    names = [f"stranger{number}" for number in range(ACCOUNTS)]
    with psycopg.connect(postgres.url("assets"), autocommit=True) as assets:
        assets.execute(
            "insert into raw_posts (platform, external_id, platform_metadata, created_at) "
            "values ('instagram', 'one', %s, %s)",
            [Jsonb({"tagged_usernames": names}), FIRST_DAY],
        )
        for row, settings in SETTINGS.items():
            assets.execute(
                "update pipeline_settings set is_enabled = true, settings = %s where platform = %s",
                [Jsonb(settings), row],
            )


def measure(console: Console, folder: Path, postgres: EmbeddedPostgres, gemini: GeminiStandin) -> None:
    migrations.migrate(postgres.url("assets"), postgres.url("operation"))
    variables = {
        "ASSETS_DATABASE_URL": postgres.url("assets"),
        "OPERATION_DATABASE_URL": postgres.url("operation"),
        "GEMINI_BASE_URL": gemini.url,
        "GEMINI_API_KEY": "made-up",
        "GEMINI_MODEL": "gemini-2.5-flash",
    }
    topology = Topology(folder / "deployed", postgres.url("dagster", driver="+psycopg2"), variables)
    storage = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(migrations.__file__).parents[2]),
        "DAGSTER_HOME": str(topology.home),
        "DAGSTER_POSTGRES_URL": postgres.url("dagster", driver="+psycopg2"),
        "HOME": str(folder),
    }
    port = free_port()
    others = {}
    names: dict[int, str] = {os.getpid(): "this script"}
    sampler = None
    try:
        topology.start()
        others["page"] = start(
            f"from entity_pipeline.cli.admin import serve_admin; serve_admin({LOOPBACK!r}, {port})",
            {**storage, **variables, "ADMIN_TOKEN": TOKEN},
            folder / "page.log",
        )
        for name, process in (topology.processes | others).items():
            names[process.pid] = {"code": "code location", "page": "administration page"}.get(name, name)
        sampler = Sampler(postgres.url("postgres"), names)
        try:
            wait_for(lambda: answers(port), "the page", 60)
        except AssertionError as error:
            raise RuntimeError((folder / "page.log").read_text()) from error
        console.print(f"At rest for {REST_S} s, sensors and schedules ticking with the switch off.")
        time.sleep(REST_S)
        rest = sampler.stop()
        fill(postgres)
        sampler = Sampler(postgres.url("postgres"), names)
        console.print("Busy: intake, reviews, links, and the page asked by many.")
        runs = []
        for job, config in (
            ("intake_job", {}),
            ("enrichment_job", enrichment_config(ACCOUNTS)),
            ("linking_job", {}),
        ):
            run = topology.launch(job, range_tags(DAY, DAY), config)
            with ThreadPoolExecutor(CLIENTS) as clients:
                while topology.status(run) not in ("SUCCESS", "FAILURE"):
                    list(clients.map(lambda path: ask(port, path), PAGES * CLIENTS))
            runs.append(topology.status(run))
        command = start(
            "import sys; from entity_pipeline.assembly import main; sys.argv[1:] = ['enrich']; main()",
            {**storage, **variables},
            folder / "command.log",
        )
        names[command.pid] = "`enrich`"
        others["command"] = command
        code = command.wait(600)
        busy = sampler.stop()
        show(console, rest, busy)
        console.print(f"Runs: {runs}; enrich ended with {code}; {len(rest)} and {len(busy)} samples.")
    finally:
        if sampler is not None:
            sampler.stop()
        for process in others.values():
            process.terminate()
            process.wait(30)
        topology.kill()


def answers(port: int) -> bool:
    try:
        return ask(port, "/api/v1/health") == 200
    except OSError:
        return False


def show(console: Console, rest: list[Held], busy: list[Held]) -> None:
    table = Table("process", "at rest", *(f"most in {name}" for name in DATABASES), "most together")
    idle, peaks = at_rest(rest), most(rest + busy)
    for name in sorted(peaks):
        counts = [peaks[name].get(database, 0) for database in (*DATABASES, "together")]
        table.add_row(name, f"{idle.get(name, 0):.0f}", *map(str, counts))
    console.print(table)


def main() -> None:
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory() as name, GeminiStandin(latency_ms=300) as gemini:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "server", databases=DATABASES)
        servers = SharedServers(folder / "server", [postgres])
        try:
            with servers:
                measure(console, folder, postgres, gemini)
        finally:
            servers.reset()


if __name__ == "__main__":
    main()
