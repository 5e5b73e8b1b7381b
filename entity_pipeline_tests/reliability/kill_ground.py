"""The installation under attack: two databases, three stand-ins, the wires in front of them, and its snapshots.

After a kill, two minutes must pass before another process may ask for an account whose request was
on the wire. Instead of waiting, `let_time_pass` makes the ledger's rows older.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from entity_pipeline.core.gemini.ledger import STALE_AFTER_S
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep
from entity_pipeline.domains.entities.sample.gemini_prompt import asked_username
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.sandbox.gemini_batches import GeminiBatches
from entity_pipeline.sandbox.gemini_request import wants_search
from entity_pipeline.sandbox.loopback_http import Reply, Request
from entity_pipeline_tests.databases import DatabaseKind, DatabaseServer
from entity_pipeline_tests.reliability.kill_rows import IMAGES, Row, Rows, all_rows
from entity_pipeline_tests.reliability.kill_wire import HttpWire, PostgresWire, Watch, forwarded
from entity_pipeline_tests.standins import GeminiStandin, InstagramStandin

KINDS: tuple[DatabaseKind, ...] = ("assets", "operation")
NOTE: Row = {"a_person": "wrote this while the pipeline was dead"}
IMAGE = "https://images.example/chosen-by-a-person.png"


@dataclass(frozen=True)
class Asked:
    """One request that reached Gemini, and what it was answered."""

    username: str
    grounded: bool
    status: int


@dataclass
class Ground:
    """Made by `ground`; `watch` is set before each run."""

    _server: DatabaseServer
    _admin: psycopg.Connection
    _name: str
    watch: Watch = field(default_factory=Watch)
    asked: list[Asked] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    _kept_objects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _gemini: GeminiStandin | None = None
    _instagram_url: str = ""

    @property
    def databases(self) -> list[str]:
        """Addresses of both databases, past the wire."""
        return [self._server.url(f"{self._name}_{kind}") for kind in KINDS]

    def environment(self) -> dict[str, str]:
        """The variables of an installation whose every way out is the wire."""
        return {
            "ASSETS_DATABASE_URL": self.addresses["assets"],
            "OPERATION_DATABASE_URL": self.addresses["operation"],
            "GEMINI_API_KEY": "any",
            "GEMINI_BASE_URL": self.addresses["gemini"],
            "INSTAGRAM_BASE_URL": self.addresses["instagram"],
            "R2_ENDPOINT_URL": self.addresses["r2"],
            "R2_ACCESS_KEY_ID": "any",
            "R2_SECRET_ACCESS_KEY": "any",
            "R2_BUCKET": "pictures",
            "R2_PUBLIC_BASE_URL": "https://img.example",
        }

    def keep(self, name: str) -> Rows:
        """Remember the state under a name; returns its rows."""
        self.wait_until_left()
        for kind in KINDS:
            self._copy(f"{self._name}_{kind}", f"{self._name}_{kind}_{name}")
        self._kept_objects[name] = dict(self.objects)
        return self.rows()

    def go_back(self, name: str) -> None:
        """Restore the kept state, with stand-ins that have seen no request."""
        for kind in KINDS:
            self._drop(f"{self._name}_{kind}")
            self._copy(f"{self._name}_{kind}_{name}", f"{self._name}_{kind}")
        self.objects.clear()
        self.objects.update(self._kept_objects[name])
        self.forget()

    def forget(self) -> None:
        """Start over with stand-ins that have seen no account and no request of ours."""
        if self._gemini is not None:
            self._gemini.close()
        self._gemini = GeminiStandin(latency_ms=0)
        self._gemini.start()
        self.asked = []

    def rows(self) -> Rows:
        return all_rows(*self.databases)

    def wait_until_left(self) -> None:
        """Wait until the server has noticed that the process is gone and has rolled back what it left open."""
        names = [f"{self._name}_{kind}" for kind in KINDS]
        query = "select count(*) from pg_stat_activity where datname = any(%s) and backend_type = 'client backend'"
        deadline = time.monotonic() + 20
        while self._admin.execute(query, [names]).fetchone() != (0,):
            assert time.monotonic() < deadline, "the server still holds connections of a dead process"
            time.sleep(0.002)

    def sweep(self) -> None:
        """What `changed_accounts_sensor` does within a minute."""
        with (
            psycopg.connect(self.databases[0], autocommit=True) as assets,
            psycopg.connect(self.databases[1], autocommit=True) as operation,
        ):
            sweep(operation, assets, give_up_at=math.inf)

    def let_time_pass(self) -> None:
        """Make it look as if nothing was done until the claims of a dead process became stale."""
        with psycopg.connect(self.databases[0], autocommit=True) as assets:
            assets.execute(
                "update gemini_usage_events set created_at = created_at - %(age)s * interval '1 second', "
                "state_changed_at = state_changed_at - %(age)s * interval '1 second'",
                {"age": STALE_AFTER_S + 1},
            )

    def put_profiles_off(self) -> None:
        """Postpone second looks at profiles until after the attack, where they would be one more than before."""
        with psycopg.connect(self.databases[1], autocommit=True) as operation:
            operation.execute(
                "update instagram_accounts set metadata = jsonb_set(metadata, "
                "'{entity_enrichment,profile_backfill,next_attempt_at}', to_jsonb('2099-01-01T00:00:00+00:00'::text)) "
                "where metadata #>> '{entity_enrichment,profile_backfill,status}' = 'deferred'"
            )

    def edit(self) -> dict[str, set[str]]:
        """Write, as a person, a note into every account and a picture into every entity; returns which."""
        with psycopg.connect(self.databases[1], autocommit=True) as operation:
            accounts = operation.execute(
                "update instagram_accounts set metadata = coalesce(metadata, '{}') || %s returning username",
                [Jsonb(NOTE)],
            ).fetchall()
            edited = {"instagram_accounts": {name for (name,) in accounts}}
            for table, column in IMAGES.items():
                query = sql.SQL("update {} set {} = %s returning name_en").format(
                    sql.Identifier(table), sql.Identifier(column)
                )
                edited[table] = {name for (name,) in operation.execute(query, [IMAGE]).fetchall()}
        return edited

    def on_the_wire(self) -> set[str]:
        """Accounts whose request was sent and not settled when the process died."""
        with psycopg.connect(self.databases[0], autocommit=True) as assets:
            rows = assets.execute("select subject from gemini_usage_events where state = 'sent'").fetchall()
        return {subject for (subject,) in rows}

    def paid(self) -> Counter[tuple[str, bool]]:
        """How often each account was answered, grounded or not, by the stand-in's own record."""
        assert self._gemini is not None
        assert len(self.asked) == self._gemini.requests["total"]
        return Counter((one.username, one.grounded) for one in self.asked if one.status == 200)

    def ask_gemini(self, request: Request) -> Reply:
        assert self._gemini is not None
        reply = forwarded(request, self._gemini.url)
        if not request.path.endswith(":generateContent"):
            return reply
        body = json.loads(request.body)
        username = asked_username(body, load_truth()) or ""
        self.asked.append(Asked(username, wants_search(body), 0 if reply.drop else reply.status))
        return reply

    @property
    def batches(self) -> GeminiBatches:
        """The files and batches of the stand-in that is up."""
        assert self._gemini is not None
        return self._gemini.batches

    def ask_instagram(self, request: Request) -> Reply:
        return forwarded(request, self._instagram_url)

    def ask_r2(self, request: Request) -> Reply:
        """As much of S3 as the pipeline uses. The size in the answer to a HEAD is that of the body here."""
        if request.method == "PUT":
            self.objects[request.path] = request.body
            return Reply(200, headers={"ETag": '"any"'})
        found = self.objects.get(request.path)
        return Reply(404) if found is None else Reply(200, found, "image/jpeg", {"ETag": '"any"'})

    def close(self) -> None:
        if self._gemini is not None:
            self._gemini.close()
        names = self._admin.execute(
            "select datname from pg_database where datname like %s", [f"{self._name}%"]
        ).fetchall()
        for (name,) in names:
            self._drop(name)

    def make(self) -> None:
        """Migrated databases without rows."""
        for kind in KINDS:
            with self._server.clone(kind) as empty:
                self._copy(urlsplit(empty.url).path[1:], f"{self._name}_{kind}")
        self.forget()

    def _copy(self, source: str, target: str) -> None:
        self._admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(target), sql.Identifier(source)
            )
        )

    def _drop(self, name: str) -> None:
        self._admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextmanager
def ground(server: DatabaseServer) -> Iterator[Ground]:
    """An empty installation on the server, with every wire up."""
    with ExitStack() as stack:
        admin = stack.enter_context(psycopg.connect(server.url("postgres"), autocommit=True))
        instagram = stack.enter_context(InstagramStandin(latency_ms=0))
        made = Ground(server, admin, f"kills_{uuid4().hex[:12]}", _instagram_url=instagram.url)
        stack.callback(made.close)
        made.make()
        for kind, url in zip(KINDS, made.databases, strict=True):
            made.addresses[kind] = stack.enter_context(PostgresWire(kind, url, lambda: made.watch)).url
        answers = {"gemini": made.ask_gemini, "instagram": made.ask_instagram, "r2": made.ask_r2}
        for name, answer in answers.items():
            made.addresses[name] = stack.enter_context(HttpWire(name, answer, lambda: made.watch)).url
        yield made
