"""Processes that look at profiles, people who change the pool meanwhile, and the time between them."""

import random
from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from entity_pipeline.core.instagram.results import Deferred
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.resources.instagram import pool
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.instagram_row import permit
from entity_pipeline_tests.resources.instagram.simulated_pool import (
    AccountBook,
    Books,
    Instagram,
    Process,
    ProcessGone,
)

MOST_AT_ONCE = 3
DEFERRED = "deferred"
KEY = Fernet.generate_key().decode()
ROUTES = {
    "ours_1": "direct",
    "ours_2": "direct",
    "ours_3": "proxy-1",
    "ours_4": "proxy-1",
    "ours_5": "proxy-2",
}


class Simulation:
    """One seed's days; `look` is what a process does, here one look at the canary."""

    def __init__(
        self,
        database: ClonedDatabase,
        seed: int,
        monkeypatch: pytest.MonkeyPatch,
        windows: InstagramWindows | None = None,
    ) -> None:
        self.chance = random.Random(seed)
        windows = windows or InstagramWindows(
            gap_s=round(self.chance.uniform(1, 4), 1),
            jitter_s=(2.0, 5.0),
            per_minute=self.chance.randint(2, 3),
            per_hour=self.chance.randint(5, 8),
            per_day=self.chance.randint(20, 35),
        )
        self.database = database
        self.books = Books(windows)
        self.instagram = Instagram(self.books, self.chance, ROUTES, self._meanwhile)
        self._secrets = SessionSecrets(KEY)
        self._started = 0
        self._retired: set[str] = set()
        monkeypatch.setattr("entity_pipeline.resources.instagram.attempt.attempt", self.instagram.attempt)
        for name in ROUTES:
            self.books.accounts[name] = AccountBook()
            self._add(name)
        self.books.accounts["ours_1"].session_is_lost = True
        with database.connection() as connection:
            permit(connection, windows)
            # The pauses are drawn from these ids: with made-up ones a seed repeats a run exactly.
            connection.execute("create sequence made_up")
            connection.execute(
                "alter table instagram_request_log alter column id set default"
                f" md5('{seed}/' || nextval('made_up'))::uuid"
            )

    def run_until(self, end: datetime) -> None:
        while self.books.now < end:
            for _ in range(self.chance.randint(1, 12)):
                if self._look() == DEFERRED and self.chance.random() < 0.8:
                    break
            self._a_person_changes_the_pool()
            with self.database.connection() as connection:
                self.books.agree_with(connection)
            self.books.now += timedelta(minutes=self.chance.expovariate(1 / 20))

    def look(self, process: Process, within_s: float) -> str:
        ended = process.look("instagram", within_s)
        return DEFERRED if isinstance(ended, Deferred) else ended.word

    def _look(self) -> str | None:
        self._started += 1
        process = Process(
            self.database, self.books, f"process {self._started}", KEY, self.instagram.after_lease
        )
        self.instagram.running.append(process)
        try:
            outcome = self.look(process, self.chance.uniform(0.2, 60))
            self.books.counts["deferred"] += outcome == DEFERRED
            return outcome
        except ProcessGone:
            assert process.is_dead
            return None
        finally:
            self.instagram.running.pop()

    def _meanwhile(self, account: str | None) -> None:
        if len(self.instagram.running) < MOST_AT_ONCE and self.chance.random() < 0.3:
            self.books.counts["at the same time"] += 1
            self._look()
        if account is not None and self.chance.random() < 0.08:
            self.chance.choice([self._disable, self._add])(account)

    def retire(self, name: str) -> None:
        """Take an account out of the pool for good."""
        self._disable(name)
        self._retired.add(name)

    def _a_person_changes_the_pool(self) -> None:
        for name, book in self.books.accounts.items():
            if book.state == "needs_session" and self.chance.random() < 0.2:
                self._add(name)
            elif book.state == "disabled" and name not in self._retired and self.chance.random() < 0.2:
                self._enable(name)
        if self.chance.random() < 0.03:
            self._add(self.chance.choice(list(ROUTES)))

    def _add(self, name: str) -> None:
        sealed = self._secrets.seal_cookies({"csrftoken": "c", "sessionid": "s", "ds_user_id": "1"})
        proxy = None if ROUTES[name] == "direct" else self._secrets.seal("http://proxy.example:8080")
        with self.database.connection() as connection:
            pool.add_account(connection, name, sealed, self.books.now, route=ROUTES[name], proxy_secret=proxy)
        book = self.books.accounts[name]
        book.fence = -1
        book.session_is_lost = False
        book.state = "active" if book.state == "needs_session" else book.state
        self.books.counts["sessions added"] += 1

    def _disable(self, name: str) -> None:
        with self.database.connection() as connection:
            pool.disable_account(connection, name, self.books.now)
        self.books.accounts[name].fence = -1
        self.books.accounts[name].state = "disabled"
        self.books.counts["disabled"] += 1

    def _enable(self, name: str) -> None:
        book = self.books.accounts[name]
        with self.database.connection() as connection:
            pool.enable_account(connection, name, self.books.now)
        book.state, book.is_suspended = "active", False
        self.books.counts["enabled"] += 1
