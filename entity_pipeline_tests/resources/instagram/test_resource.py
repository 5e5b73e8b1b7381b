"""The whole way: a Dagster resource, the governor's database, Instaloader, and the sandbox's Instagram."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.instagram.access import Picture, ProfileFetch, ProfileOutcome
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.instagram.governor import Governor
from entity_pipeline.resources.instagram.session import ProfileReader
from entity_pipeline.resources.instagram.sessions import Vault
from entity_pipeline.sandbox.loopback_http import Reply
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.page_server import page, serving, user
from entity_pipeline_tests.standins import InstagramStandin

OPEN = InstagramWindows(gap_s=0, jitter_s=(0, 0), per_minute=1_000, per_hour=1_000, per_day=1_000)
KEY = Fernet.generate_key().decode()
COOKIES = {"csrftoken": "c", "sessionid": "s3cret", "ds_user_id": "1"}
CANARY = "instagram"


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=30)


def fetch(
    resource: InstagramResource, username: str = CANARY, windows: InstagramWindows = OPEN
) -> ProfileFetch:
    return resource.fetch_profile(username, windows=windows, deadline=soon())


def add_account(assets_db: ClonedDatabase, name: str, route: str = "direct", **columns: Any) -> None:
    values = {"username": name, "route": route, "session_secret": Vault(KEY).seal_cookies(COOKIES)} | columns
    with assets_db.connection() as connection:
        connection.execute("insert into instagram_routes (name) values (%s) on conflict do nothing", (route,))
        connection.execute(
            "insert into instagram_pool_accounts (username, route, session_secret)"
            " values (%(username)s, %(route)s, %(session_secret)s)",
            values,
        )


def rows(assets_db: ClonedDatabase, query: str) -> list[tuple[Any, ...]]:
    with assets_db.connection() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def instagram() -> Iterator[InstagramStandin]:
    with InstagramStandin(latency_ms=0) as standin:
        yield standin


def test_a_profile_and_its_picture_come_from_the_stand_in(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    resource = InstagramResource(base_url=instagram.url, assets_db=assets_db)
    got = fetch(resource)
    assert (got.outcome, got.source) == (ProfileOutcome.FOUND, "anonymous:direct")
    assert got.profile is not None
    assert got.profile.picture_url is not None
    assert isinstance(resource.fetch_picture(got.profile.picture_url), Picture)
    assert rows(assets_db, "select account_key, username, outcome from instagram_request_log") == [
        ("anonymous:direct", CANARY, "found")
    ]


def test_a_leased_account_is_named_with_its_route_and_given_back(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    add_account(assets_db, "pool_1", "proxy-1")
    got = fetch(InstagramResource(base_url=instagram.url, session_keys=KEY, assets_db=assets_db))
    assert (got.outcome, got.source) == (ProfileOutcome.FOUND, "session:pool_1@proxy-1")
    assert rows(assets_db, "select state, lease_owner, last_outcome from instagram_pool_accounts") == [
        ("active", None, "found")
    ]


def test_after_a_refusal_nothing_more_is_sent(assets_db: ClonedDatabase) -> None:
    with serving({"/instagram/": Reply(429)}) as server:
        resource = InstagramResource(base_url=server.url, assets_db=assets_db)
        first, second = fetch(resource), fetch(resource)
    assert (first.outcome, second.outcome) == (ProfileOutcome.RATE_LIMITED, ProfileOutcome.DEFERRED)
    assert second.next_at is not None
    assert timedelta(minutes=44) < second.next_at - datetime.now(UTC) < timedelta(minutes=46)
    assert len(server.requests) == 1


def test_an_account_with_a_full_window_is_passed_over_for_one_with_room(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    windows = InstagramWindows(gap_s=0, jitter_s=(0, 0), per_minute=100, per_hour=1, per_day=100)
    add_account(assets_db, "pool_1", "proxy-1")
    add_account(assets_db, "pool_2", "proxy-2")
    resource = InstagramResource(base_url=instagram.url, session_keys=KEY, assets_db=assets_db)
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_request_log (account_key, route, host, requested_at)"
            " values ('session:pool_1', 'proxy-1', 'www.instagram.com', now())"
        )
    assert fetch(resource, windows=windows).source == "session:pool_2@proxy-2"
    assert fetch(resource, windows=windows).outcome is ProfileOutcome.DEFERRED


def test_a_session_that_no_key_opens_sends_nothing_and_blames_nobody(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    add_account(assets_db, "pool_1")
    got = fetch(InstagramResource(base_url=instagram.url, assets_db=assets_db))
    assert got.outcome is ProfileOutcome.DEFERRED
    assert "INSTAGRAM_SESSION_KEYS is not set" in got.detail
    assert instagram.requests["total"] == 0
    assert rows(assets_db, "select state, lease_owner from instagram_pool_accounts") == [("active", None)]


@pytest.mark.parametrize(
    "username", ["", "../accounts/login", "a..b", ".a", "a.", "x" * 31, "a b", "a/b", "ａ"]
)
def test_what_can_not_be_a_username_is_never_sent(
    assets_db: ClonedDatabase, instagram: InstagramStandin, username: str
) -> None:
    resource = InstagramResource(base_url=instagram.url, assets_db=assets_db)
    assert fetch(resource, username).outcome is ProfileOutcome.NOT_FOUND
    assert instagram.requests["total"] == 0


def test_a_deadline_that_is_over_sends_nothing(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    resource = InstagramResource(base_url=instagram.url, assets_db=assets_db)
    got = resource.fetch_profile(CANARY, windows=OPEN, deadline=datetime.now(UTC))
    assert got.outcome is ProfileOutcome.DEFERRED
    assert instagram.requests["total"] == 0


class BrokenDatabase:
    """A database that fails in the way it was given."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def connection(self) -> Any:
        raise self._error


@pytest.mark.parametrize(
    "error", [DatabaseUnavailable("down"), psycopg.OperationalError("down"), RuntimeError("a bug")]
)
def test_without_the_ledger_nothing_is_sent_and_nothing_is_raised(
    instagram: InstagramStandin, error: Exception
) -> None:
    got = fetch(InstagramResource(base_url=instagram.url, assets_db=BrokenDatabase(error)))
    assert got.outcome is ProfileOutcome.DEFERRED
    assert got.next_at is not None
    assert type(error).__name__ in got.detail
    assert instagram.requests["total"] == 0


def test_a_malformed_key_defers_with_what_to_do(assets_db: ClonedDatabase) -> None:
    got = fetch(InstagramResource(session_keys="nonsense", assets_db=assets_db))
    assert (got.outcome, "malformed key" in got.detail) == (ProfileOutcome.DEFERRED, True)


class SimulatedTime:
    """Local time that passes only while somebody sleeps; the database's clock follows it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, tzinfo=UTC)
        self.slept: list[float] = []

    def clock(self, *_: Any) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def simulated(assets_db: ClonedDatabase, base_url: str, time: SimulatedTime) -> ProfileReader:
    governor = Governor("simulated", time.clock)
    return ProfileReader(assets_db, governor, Vault(KEY), base_url, sleep=time.sleep, clock=time.clock)


def test_a_short_gap_is_waited_for_and_a_full_window_is_not(assets_db: ClonedDatabase) -> None:
    time = SimulatedTime()
    windows = InstagramWindows(gap_s=2, jitter_s=(2, 5), per_minute=20, per_hour=3, per_day=100)
    with serving({"/instagram/": page(user("instagram"))}) as server:
        reader = simulated(assets_db, server.url, time)
        got = [reader.fetch(CANARY, windows, time.now + timedelta(minutes=5)).outcome for _ in range(5)]
    assert got == [ProfileOutcome.FOUND] * 3 + [ProfileOutcome.DEFERRED] * 2
    assert len(time.slept) == 2
    assert all(2 <= seconds <= 6 for seconds in time.slept)


def test_nothing_is_waited_for_beyond_the_deadline(assets_db: ClonedDatabase) -> None:
    time = SimulatedTime()
    windows = InstagramWindows(gap_s=2, jitter_s=(2, 5))
    with serving({"/instagram/": page(user("instagram"))}) as server:
        reader = simulated(assets_db, server.url, time)
        reader.fetch(CANARY, windows, time.now + timedelta(minutes=5))
        got = reader.fetch(CANARY, windows, time.now + timedelta(seconds=1))
    assert (got.outcome, time.slept) == (ProfileOutcome.DEFERRED, [])


def test_many_threads_share_the_windows_and_none_raises(assets_db: ClonedDatabase) -> None:
    windows = InstagramWindows(gap_s=0, jitter_s=(0, 0), per_minute=10, per_hour=100, per_day=100)
    got: list[ProfileOutcome] = []
    with serving({"/instagram/": page(user("instagram"))}) as server:
        resource = InstagramResource(base_url=server.url, assets_db=assets_db)
        threads = [
            threading.Thread(target=lambda: got.append(fetch(resource, windows=windows).outcome))
            for _ in range(14)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(got) == [ProfileOutcome.DEFERRED] * 4 + [ProfileOutcome.FOUND] * 10
    assert len(server.requests) == 10


def test_the_resource_shows_no_key() -> None:
    resource = InstagramResource(session_keys=KEY, assets_db=None)
    assert KEY not in f"{resource!r} {resource}"


def test_loading_the_resource_imports_nothing_heavy() -> None:
    code = (
        "import sys, entity_pipeline.resources.instagram;"
        "print([m for m in ('instaloader', 'PIL', 'cryptography') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
