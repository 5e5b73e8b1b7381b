"""A new operation needs one file among the operations and one value; this one is made up, and the real service runs it.

It looks at a post by its number, as calls of the mobile kind do: with the session in a header.
"""

import json
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.fernet import Fernet

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.resources.instagram import InstagramResource, operations
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline.sandbox.loopback_http import Reply
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.instagram_row import permit
from entity_pipeline_tests.resources.instagram.page_server import PageServer, failure, serving
from entity_pipeline_tests.resources.instagram.test_judging import HOSTILE
from entity_pipeline_tests.standins import InstagramStandin

KEY = Fernet.generate_key().decode()
COOKIES = {"csrftoken": "c", "sessionid": "1%3As3cret", "ds_user_id": "1"}
FREE, COOLING, LOST = ((state, "active", 0) for state in ("active", "cooling", "needs_session"))
POST, CANARY = "/api/v1/media/7/info/", "/api/v1/media/1/info/"
_FILE = """
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.resources.instagram.handlers import Observed, SeatedHandler
from entity_pipeline.resources.instagram.judging import ABSENT, DataCall
from entity_pipeline_tests.resources.instagram.test_new_operation import MadeUpPost

GONE = ("media not found or unavailable", "media is unavailable")


def says(status, keys):
    return ABSENT if status == 400 and keys.message.startswith(GONE) else None


def ask(post, wire):
    items = wire.context.get_iphone_json(f"api/v1/media/{post.pk}/info/", {})["items"]
    if not items:
        raise Observed(Finding.NOT_FOUND, "there are no items")
    return items[0]["like_count"]


HANDLER = SeatedHandler(
    call=DataCall(says), most_requests=1, first_host="i.instagram.com", ask=ask, canary=MadeUpPost(1)
)
"""
_FIELDS_FILE = """
from entity_pipeline.resources.instagram.handlers import SeatedHandler
from entity_pipeline.resources.instagram.judging import DataCall


def ask(look, wire):
    found = wire.context.get_json("api/v1/users/web_profile_info/", {"username": look.username})
    return found["data"]["user"]["edge_followed_by"]["count"]


HANDLER = SeatedHandler(call=DataCall(), most_requests=1, first_host="www.instagram.com", ask=ask)
"""


@dataclass(frozen=True, slots=True)
class MadeUpPost(Operation[int]):
    name: ClassVar[str] = "made_up_post"
    pk: int

    @property
    def target(self) -> str:
        return str(self.pk)


@dataclass(frozen=True, slots=True)
class MadeUpFollowers(Operation[int]):
    name: ClassVar[str] = "made_up_followers"
    username: str

    @property
    def target(self) -> str:
        return self.username


@pytest.fixture(autouse=True)
def one_file_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assets_db: ClonedDatabase) -> None:
    for name, text in (("made_up_post", _FILE), ("made_up_followers", _FIELDS_FILE)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    monkeypatch.setattr(operations, "__path__", [*operations.__path__, str(tmp_path)])
    with assets_db.connection() as connection:
        permit(connection)
        connection.execute("insert into instagram_routes (name) values ('proxy-1')")
        connection.execute(
            "insert into instagram_pool_accounts (username, route, session_secret) values ('pool_1', 'proxy-1', %s)",
            [SessionSecrets(KEY).seal_cookies(COOKIES)],
        )


def run(
    url: str, assets_db: ClonedDatabase, operation: Operation[int] = MadeUpPost(7)
) -> Result[int] | Deferred:
    session = InstagramResource(base_url=url, session_keys=KEY, assets_db=assets_db).session(
        "content_monitoring"
    )
    return session.run(operation, datetime.now(UTC) + timedelta(seconds=30))


def post(**fields: Any) -> Reply:
    shown = {"like_count": 120, "caption": {"text": "sea"}} | fields
    return Reply(200, json.dumps({"items": [shown], "status": "ok"}).encode())


def standing(assets_db: ClonedDatabase) -> tuple[Any, ...]:
    """The account's state, and its route's state and failures."""
    with assets_db.connection() as connection:
        row = connection.execute(
            "select a.state, r.state, r.failures from instagram_pool_accounts a "
            "join instagram_routes r on r.name = a.route"
        ).fetchone()
    assert row is not None
    return row


def test_it_is_run_logged_and_governed_like_the_others(assets_db: ClonedDatabase) -> None:
    with serving({POST: post()}) as server:
        got = run(server.url, assets_db)
    assert isinstance(got, Result)
    assert (got.word, got.value, got.source) == ("found", 120, "session:pool_1@proxy-1")
    (request,) = server.requests
    assert request.host == "i.instagram.com"
    with assets_db.connection() as connection:
        logged = connection.execute(
            "select account_key, host, domain, operation, target, outcome from instagram_request_log"
        ).fetchall()
    assert logged == [("session:pool_1", "i.instagram.com", "content_monitoring", "made_up_post", "7", "ok")]


def test_the_stand_in_of_the_sandbox_serves_one_too(assets_db: ClonedDatabase) -> None:
    with InstagramStandin(latency_ms=0) as standin:
        got = run(standin.url, assets_db, MadeUpFollowers("prada"))
        gone = run(standin.url, assets_db, MadeUpFollowers("nobody.we.know"))
        limited = run(standin.url, assets_db, MadeUpFollowers("zzz.ratelimit.madeup"))
    assert isinstance(got, Result)
    assert (got.word, (got.value or 0) >= 1_000) == ("found", True)
    assert isinstance(gone, Result)
    assert (gone.word, gone.canary) == ("not_found", None)
    assert isinstance(limited, Result)
    assert limited.word == "rate_limited"
    assert standing(assets_db)[0] == "cooling"


@pytest.mark.parametrize(
    ("reply", "word", "canary", "after"),
    [
        pytest.param(failure(400, "Media not found or unavailable"), "not_found", True, FREE, id="gone"),
        pytest.param(
            Reply(200, b'{"items": [], "status": "ok"}'), "not_found", True, FREE, id="no items"
        ),
        pytest.param(Reply(404, b"Not Found", "text/plain"), "challenge", None, COOLING, id="masked"),
        pytest.param(failure(403, "login_required"), "logged_out", None, LOST, id="logged out"),
        pytest.param(failure(400, "checkpoint_required"), "challenge", None, COOLING, id="checkpoint"),
        pytest.param(
            failure(401, "Please wait a few minutes before you try again."), "rate_limited", None,
            COOLING, id="please wait",
        ),
        pytest.param(Reply(200, b'for (;;);{"error":1357004}'), "schema_drift", None, FREE, id="tokens"),
        pytest.param(Reply(200, b"<html></html>", "text/html"), "schema_drift", None, FREE, id="HTML"),
        pytest.param(Reply(drop=True), "transport", None, ("active", "active", 1), id="dropped"),
    ],
)  # fmt: skip
def test_its_answers_are_judged_for_the_account_and_the_route_apart(
    assets_db: ClonedDatabase, reply: Reply, word: str, canary: bool | None, after: tuple[Any, ...]
) -> None:
    with serving({POST: reply, CANARY: post()}) as server:
        got = run(server.url, assets_db)
    assert isinstance(got, Result)
    assert (got.word, got.canary) == (word, canary)
    assert standing(assets_db) == after
    assert [path for path in server.paths if path == CANARY] == [CANARY] * (canary is not None)


def test_answers_that_are_not_json_five_times_cool_no_route(assets_db: ClonedDatabase) -> None:
    with serving({POST: Reply(200, b"for (;;);", "text/html")}) as server:
        words = [
            got.word for got in (run(server.url, assets_db) for _ in range(6)) if isinstance(got, Result)
        ]
    assert words == ["schema_drift"] * 6
    assert standing(assets_db) == FREE


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_caption_cools_no_account(assets_db: ClonedDatabase, hostile: str) -> None:
    with serving(
        {POST: [post(caption={"text": hostile}), post(like_count=None, caption=hostile), broken(hostile)]}
    ) as server:
        words = [
            got.word for got in (run(server.url, assets_db) for _ in range(3)) if isinstance(got, Result)
        ]
    assert words[0] == "found"
    assert words[2] == "schema_drift"
    assert standing(assets_db) == FREE


def broken(caption: str) -> Reply:
    """JSON that is cut off after the caption."""
    return Reply(200, json.dumps({"items": [{"caption": {"text": caption}}]}).encode()[:-4])


def test_its_session_is_recognised_in_the_header(assets_db: ClonedDatabase) -> None:
    with serving({POST: post()}) as server:
        run(server.url, assets_db)
    headers = _headers(server)
    assert headers["authorization"].startswith("Bearer IGT:2:")
    assert "sessionid" not in headers.get("cookie", "")


def _headers(server: PageServer) -> dict[str, str]:
    (request,) = server.requests
    return {name.lower(): value for name, value in request.headers.items()}
