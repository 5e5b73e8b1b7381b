"""The whole way: a Dagster resource, the governor's database, Instaloader, and the sandbox's Instagram."""

import json
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
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.picture import PictureDownload
from entity_pipeline.core.instagram.profile import CANARY, InstagramProfile, ProfileLook
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.instagram.governor import Governor
from entity_pipeline.resources.instagram.seating import Seating
from entity_pipeline.resources.instagram.session import GovernedSession
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.loopback_http import Reply
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.instagram_row import OPEN, changed, permit
from entity_pipeline_tests.resources.instagram.page_server import page, serving, user
from entity_pipeline_tests.resources.instagram.test_judging import HOSTILE
from entity_pipeline_tests.standins import InstagramStandin

Looked = Result[InstagramProfile] | Deferred
KEY = Fernet.generate_key().decode()
COOKIES = {"csrftoken": "c", "sessionid": "s3cret", "ds_user_id": "1"}


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=30)


@pytest.fixture(autouse=True)
def permitted(assets_db: ClonedDatabase) -> None:
    allow(assets_db, OPEN)


def allow(assets_db: ClonedDatabase, windows: InstagramWindows) -> None:
    with assets_db.connection() as connection:
        permit(connection, windows)


def fetch(resource: InstagramResource, username: str = CANARY) -> Looked:
    return resource.session("entities").run(ProfileLook(username), soon())


def word(ended: Looked) -> str:
    return "deferred" if isinstance(ended, Deferred) else ended.word


def source(ended: Looked) -> str:
    assert isinstance(ended, Result)
    return ended.source


def why(ended: Looked) -> str:
    """The key of the reason why nothing was sent."""
    assert isinstance(ended, Deferred), ended
    return ended.reason.key


def add_account(assets_db: ClonedDatabase, name: str, route: str = "direct", **columns: Any) -> None:
    values = {
        "username": name,
        "route": route,
        "session_secret": SessionSecrets(KEY).seal_cookies(COOKIES),
    } | columns
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
    session = InstagramResource(base_url=instagram.url, assets_db=assets_db).session("entities")
    got = session.run(ProfileLook("Instagram"), soon())
    assert isinstance(got, Result)
    assert (got.finding, got.source) == (Finding.FOUND, "anonymous:direct")
    assert got.value is not None
    assert got.value.picture_url is not None
    picture = session.run(PictureDownload(got.value.picture_url), soon())
    assert isinstance(picture, Result)
    assert picture.value is not None
    logged = rows(
        assets_db,
        "select account_key, domain, operation, target, outcome from instagram_request_log order by requested_at",
    )
    # Every request is logged before it is sent, with its domain, operation and target.
    assert logged[0] == ("anonymous:direct", "entities", "profile", CANARY, "ok")
    key, domain, operation, target, outcome = logged[1]
    assert (key, domain, operation, outcome) == ("unseated", "entities", "picture", "ok")
    assert target in got.value.picture_url
    assert "?" not in target
    assert len(logged) == instagram.requests["total"] == 2


def test_a_picture_of_another_host_is_neither_asked_nor_logged(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    session = InstagramResource(base_url=instagram.url, assets_db=assets_db).session("entities")
    got = session.run(PictureDownload("https://evil.example/p.jpg"), soon())
    assert isinstance(got, Result)
    assert (got.finding, got.detail) == (Finding.REFUSED, "host_refused")
    assert rows(assets_db, "select 1 from instagram_request_log") == []
    assert instagram.requests["total"] == 0


def test_without_permission_nothing_is_sent_and_the_reason_is_given(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    session = InstagramResource(base_url=instagram.url, assets_db=assets_db).session("entities")
    with assets_db.connection() as connection:
        permit(connection, acknowledged=False)
    picture = PictureDownload("https://x.cdninstagram.com/v/t51.2885-19/1_prada_n.jpg")
    got = [session.run(operation, soon()) for operation in (ProfileLook(CANARY), picture)]
    assert [why(one) for one in got] == ["terms_not_acknowledged"] * 2  # type: ignore[arg-type]
    assert instagram.requests["total"] == 0
    assert rows(assets_db, "select 1 from instagram_request_log") == []


def test_a_leased_account_is_named_with_its_route_and_given_back(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    add_account(assets_db, "pool_1", "proxy-1")
    got = fetch(InstagramResource(base_url=instagram.url, session_keys=KEY, assets_db=assets_db))
    assert (word(got), source(got)) == ("found", "session:pool_1@proxy-1")
    assert rows(assets_db, "select state, lease_owner, last_outcome from instagram_pool_accounts") == [
        ("active", None, "ok")
    ]


def test_after_a_refusal_nothing_more_is_sent(assets_db: ClonedDatabase) -> None:
    with serving({"/instagram/": Reply(429)}) as server:
        resource = InstagramResource(base_url=server.url, assets_db=assets_db)
        first, second = fetch(resource), fetch(resource)
    assert (word(first), word(second)) == ("rate_limited", "deferred")
    assert isinstance(second, Deferred)
    assert second.next_at is not None
    assert timedelta(minutes=44) < second.next_at - datetime.now(UTC) < timedelta(minutes=46)
    assert len(server.requests) == 1


def test_an_account_with_a_full_window_is_passed_over_for_one_with_room(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    allow(assets_db, changed(OPEN, per_hour=1))
    add_account(assets_db, "pool_1", "proxy-1")
    add_account(assets_db, "pool_2", "proxy-2")
    resource = InstagramResource(base_url=instagram.url, session_keys=KEY, assets_db=assets_db)
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_request_log (account_key, route, host, requested_at)"
            " values ('session:pool_1', 'proxy-1', 'www.instagram.com', now())"
        )
    assert source(fetch(resource)) == "session:pool_2@proxy-2"
    assert word(fetch(resource)) == "deferred"


def test_a_session_that_no_key_opens_sends_nothing_and_blames_no_account(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    add_account(assets_db, "pool_1")
    got = fetch(InstagramResource(base_url=instagram.url, assets_db=assets_db))
    assert why(got) == "secret_unreadable"
    assert isinstance(got, Deferred)
    assert "INSTAGRAM_SESSION_KEYS is not set" in str(got.reason)
    assert instagram.requests["total"] == 0
    assert rows(assets_db, "select state, lease_owner from instagram_pool_accounts") == [("active", None)]


@pytest.mark.parametrize(
    "username", ["", "../accounts/login", "a..b", ".a", "a.", "x" * 31, "a b", "a/b", "ａ"]
)
def test_an_impossible_username_is_never_sent(
    assets_db: ClonedDatabase, instagram: InstagramStandin, username: str
) -> None:
    resource = InstagramResource(base_url=instagram.url, assets_db=assets_db)
    assert word(fetch(resource, username)) == "not_found"
    assert instagram.requests["total"] == 0


def test_a_deadline_that_is_over_sends_nothing(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    resource = InstagramResource(base_url=instagram.url, assets_db=assets_db)
    assert why(resource.session("entities").run(ProfileLook(CANARY), datetime.now(UTC))) == "time_is_over"
    assert instagram.requests["total"] == 0


def test_profiles_with_an_age_limit_are_not_absent_and_stop_no_route(
    assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    resource = InstagramResource(base_url=instagram.url, assets_db=assets_db)
    for nth in range(7):
        instagram.take(SimulatedAccount(f"adults{nth}.madeup", "Adults", "", behaviour="restricted"))
        got = fetch(resource, f"adults{nth}.madeup")
        assert (word(got), isinstance(got, Result) and got.canary) == ("restricted", None)
    assert word(fetch(resource, "celine")) == "found"
    assert rows(assets_db, "select state, cooling_until, failures from instagram_routes") == [
        ("active", None, 0)
    ]


class BrokenDatabase:
    """A database that fails in the given way."""

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
    assert isinstance(got, Deferred)
    assert got.next_at is not None
    assert type(error).__name__ in str(got.reason)
    assert instagram.requests["total"] == 0


def test_a_malformed_key_defers_with_what_to_do(assets_db: ClonedDatabase) -> None:
    got = fetch(InstagramResource(session_keys="nonsense", assets_db=assets_db))
    assert why(got) == "misconfigured"
    assert isinstance(got, Deferred)
    assert "malformed key" in str(got.reason)
    assert rows(assets_db, "select 1 from instagram_request_log") == []


class SimulatedTime:
    """Local time that passes only during a sleep; the database's clock follows it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, tzinfo=UTC)
        self.slept: list[float] = []

    def clock(self, *_: Any) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def simulated(assets_db: ClonedDatabase, base_url: str, time: SimulatedTime) -> GovernedSession:
    governor = Governor("simulated", time.clock)
    seating = Seating(assets_db, governor, sleep=time.sleep, clock=time.clock)
    return GovernedSession("entities", seating, KEY, base_url)


def test_a_short_gap_is_waited_for_and_a_full_window_is_not(assets_db: ClonedDatabase) -> None:
    time = SimulatedTime()
    allow(assets_db, InstagramWindows(gap_s=2, jitter_s=(2, 5), per_minute=20, per_hour=3, per_day=100))
    with serving({"/instagram/": page(user("instagram"))}) as server:
        session = simulated(assets_db, server.url, time)
        got = [word(session.run(ProfileLook(CANARY), time.now + timedelta(minutes=5))) for _ in range(5)]
    assert got == ["found"] * 3 + ["deferred"] * 2
    assert len(time.slept) == 2
    assert all(2 <= seconds <= 6 for seconds in time.slept)


def test_nothing_is_waited_for_beyond_the_deadline(assets_db: ClonedDatabase) -> None:
    time = SimulatedTime()
    allow(assets_db, InstagramWindows(gap_s=2, jitter_s=(2, 5)))
    with serving({"/instagram/": page(user("instagram"))}) as server:
        session = simulated(assets_db, server.url, time)
        session.run(ProfileLook(CANARY), time.now + timedelta(minutes=5))
        got = session.run(ProfileLook(CANARY), time.now + timedelta(seconds=1))
    assert (word(got), time.slept) == ("deferred", [])


def test_many_threads_share_the_windows_and_none_raises(assets_db: ClonedDatabase) -> None:
    allow(assets_db, changed(OPEN, per_minute=10))
    got: list[str] = []
    with serving({"/instagram/": page(user("instagram"))}) as server:
        session = InstagramResource(base_url=server.url, assets_db=assets_db).session("entities")

        def ask() -> None:
            got.append(word(session.run(ProfileLook(CANARY), soon())))

        threads = [threading.Thread(target=ask) for _ in range(14)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(got) == ["deferred"] * 4 + ["found"] * 10
    assert len(server.requests) == 10


def test_the_canary_is_asked_after_each_not_found_until_it_is_missing(assets_db: ClonedDatabase) -> None:
    canary = page(user("instagram"))
    with serving({"/instagram/": [canary, Reply(404), canary]}) as server:
        session = InstagramResource(base_url=server.url, assets_db=assets_db).session("entities")
        got = [session.run(ProfileLook(name), soon()) for name in ("gone", "gone.too", "gone.as.well")]
    assert [one.canary if isinstance(one, Result) else one for one in got] == [True, False, False]
    assert server.paths == ["/gone/", "/instagram/", "/gone.too/", "/instagram/", "/gone.as.well/"]
    logged = rows(assets_db, "select target, outcome from instagram_request_log order by requested_at")
    assert logged == [(name, "ok") for name in ("gone", CANARY, "gone.too", CANARY, "gone.as.well")]


def test_the_canary_is_asked_by_the_account_that_did_not_find_or_by_none(assets_db: ClonedDatabase) -> None:
    add_account(assets_db, "pool_1", "proxy-1")
    add_account(assets_db, "pool_2", "proxy-2")
    with serving({"/instagram/": page(user("instagram"))}) as server:
        resource = InstagramResource(base_url=server.url, session_keys=KEY, assets_db=assets_db)
        got = resource.session("entities").run(ProfileLook("gone"), soon())
        assert isinstance(got, Result)
        assert (got.source, got.canary) == ("session:pool_1@proxy-1", True)
        allow(assets_db, changed(OPEN, per_hour=1))
        got = resource.session("entities").run(ProfileLook("gone"), soon())
        assert isinstance(got, Result)
        assert (got.source, got.canary) == ("session:pool_2@proxy-2", None)
    logged = rows(assets_db, "select account_key, target from instagram_request_log order by requested_at")
    assert logged == [("session:pool_1", "gone"), ("session:pool_1", CANARY), ("session:pool_2", "gone")]


def test_a_canary_that_is_not_found_itself_is_not_asked_twice(assets_db: ClonedDatabase) -> None:
    with serving({}) as server:
        got = fetch(InstagramResource(base_url=server.url, assets_db=assets_db))
    assert isinstance(got, Result)
    assert (got.word, got.canary, server.paths) == ("not_found", False, ["/instagram/"])


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_bio_that_mentions_limits_and_logins_cools_no_account(
    assets_db: ClonedDatabase, hostile: str
) -> None:
    """The seat stays as it was, whether the bio is read, has unreadable names, or lacks fields."""
    add_account(assets_db, "pool_1", "proxy-1")
    words = {"biography": hostile, "full_name": hostile}
    drifted = page({"v2": user("drifted", **words)})
    completing = json.dumps(
        {"data": {"user": {"message": hostile, **words}}, "message": hostile, "status": "ok"}
    )
    with serving(
        {
            "/whole/": page(user("whole", **words)),
            "/drifted/": drifted,
            "/short/": page(user("short", biography=..., full_name=hostile)),
            "/graphql/query": Reply(200, completing.encode()),
        }
    ) as server:
        session = InstagramResource(base_url=server.url, session_keys=KEY, assets_db=assets_db).session(
            "entities"
        )
        got = [word(session.run(ProfileLook(name), soon())) for name in ("whole", "drifted", "short")]
    assert got == ["found", "schema_drift", "found"]
    assert "/graphql/query" in server.paths
    assert rows(assets_db, "select state, cooling_until from instagram_pool_accounts") == [("active", None)]
    assert rows(assets_db, "select state, failures from instagram_routes where name = 'proxy-1'") == [
        ("active", 0)
    ]
    assert rows(assets_db, "select distinct outcome from instagram_request_log order by 1") == [
        ("ok",),
        ("unclear",),
    ]


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
