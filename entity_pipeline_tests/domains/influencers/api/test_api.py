"""The API over a real database: access, what each route takes and answers, and requests that are made up."""

import json
import re
from typing import Any

import psycopg
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from entity_pipeline.admin.guard import LARGEST_BODY_BYTES
from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.text.handles import Rejection
from entity_pipeline.domains.influencers.api.access import ApiSettings, api_settings
from entity_pipeline.domains.influencers.api.routes import LARGEST_SCRAPE_BYTES
from entity_pipeline.domains.influencers.api.schemas import LARGEST_OFFSET, MOST_TASKS
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.tasks.rules import NewTask
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.api.conftest import BEARER, KEY, app_on, caller
from entity_pipeline_tests.fakes.database import FlakyDatabase

Connection = psycopg.Connection[Any]
CLOSED = ("/api/tasks", "/api/tasks/1", "/api/v1/influencers/tasks")


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


# Access


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x"])
def test_a_route_without_the_right_key_answers_401(
    stranger: TestClient, path: str, header: str | None
) -> None:
    answer = stranger.get(path, headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert KEY not in answer.text


def test_every_route_but_health_needs_the_key(app: FastAPI, stranger: TestClient) -> None:
    asked = 0
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            answer = stranger.request(method, path.replace("{task_id}", "1"), json={})
            assert answer.status_code == (200 if path.endswith("/health") else 401), (method, path)
            asked += 1
    assert asked == 10


def test_the_scheme_may_be_in_any_case(api: TestClient) -> None:
    assert api.get("/api/tasks", headers={"Authorization": f"BEARER {KEY}"}).status_code == 200


@pytest.mark.parametrize("key", [None, "", "short", "스물네-글자-넘는-비밀-키-입니다-정말로"])
def test_without_a_usable_key_on_the_server_the_routes_say_so(
    assets_db: ClonedDatabase, key: str | None
) -> None:
    client = caller(app_on(assets_db, key))
    for path in CLOSED:
        answer = client.get(path, headers=BEARER)
        assert answer.status_code == 503
        assert "SCRAPER_API_KEY" in answer.json()["detail"]
    assert client.get("/api/health").status_code == 200


def test_after_five_wrong_keys_even_the_right_one_waits(stranger: TestClient) -> None:
    for _ in range(5):
        wrong = stranger.get("/api/tasks", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
    answer = stranger.get("/api/tasks", headers=BEARER)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 200


def test_the_key_is_read_from_the_environment_and_never_shown() -> None:
    found = api_settings({"SCRAPER_API_KEY": f" {KEY}\n", "ADMIN_HOSTS": "api.example"})
    assert found.key == KEY
    assert "api.example" in found.hosts
    assert KEY not in repr(found)
    assert api_settings({}).key is None


@settings(max_examples=200)
@given(given=st.text(max_size=60))
def test_no_other_text_opens_it(given: str) -> None:
    from starlette.requests import Request

    from entity_pipeline.admin.access import Tries
    from entity_pipeline.domains.influencers.api.access import ApiAccess

    header = f"Bearer {given}".encode("utf-8", "replace")
    request = Request({"type": "http", "headers": [(b"authorization", header)]})
    access = ApiAccess(ApiSettings(KEY), Tries())
    if given.strip() != KEY:
        with pytest.raises(Exception, match="401"):
            access.verify_api_key(request)


# Health


def test_health_counts_accounts_and_tasks_and_names_none(stranger: TestClient, assets: Connection) -> None:
    assets.execute("insert into instagram_pool_accounts (username, state) values ('our.own', 'cooling')")
    ask_for_blogs(assets, ["ada", "bea"])
    [task, _] = STORE.claim(assets, "a run", 2)
    STORE.finish(assets, task)
    ask_for_blogs(assets, ["cho"])
    answer = stranger.get("/api/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["accounts"] == {"active": 0, "cooling": 1, "needs_session": 0, "disabled": 0}
    assert body["tasks"] == {"pending": 1, "running": 1, "done": 1, "failed": 0}
    assert body["oldest_pending_at"] is not None
    assert not re.search("our.own|ada|bea|cho", answer.text)


def test_health_is_read_once_for_many_callers(assets_db: ClonedDatabase) -> None:
    database = FlakyDatabase(assets_db)
    client = caller(app_on(database))
    for _ in range(20):
        assert client.get("/api/health").status_code == 200
        assert client.get("/api/v1/influencers/health").status_code == 200
    assert database.connections == 2, "accounts and tasks, once"


def test_a_database_that_is_away_is_a_503_without_its_address(assets_db: ClonedDatabase) -> None:
    away = DatabaseUnavailable("PostgreSQL can't be reached.")
    client = caller(app_on(FlakyDatabase(assets_db, dict.fromkeys(range(1, 4), away))), **BEARER)
    for path in ("/api/health", "/api/tasks", "/api/tasks/1"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
    assert client.get("/api/health").status_code == 200, "a failure is not kept"


# Tasks


def test_a_scrape_makes_tasks_and_says_what_each_name_was(api: TestClient, assets: Connection) -> None:
    for one in hashes(None, "gone"):
        assets.execute(
            "insert into erased_people (platform, subject_hash, erased_by) values ('instagram', %s, 'a test')",
            [one],
        )
    ask_for_blogs(assets, ["bea"])
    names = [
        "@Ada",
        "https://www.instagram.com/ada/?igsh=x",
        "bea",
        "no name",
        "\ud800\u202e",
        "gone",
        "GONE",
        "",
    ]
    body = json.dumps({"usernames": names, "priority": 1})
    answer = api.post("/api/tasks/scrape", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert [one["username"] for one in found["created"]] == ["ada"]
    assert [one["username"] for one in found["existing"]] == ["bea"]
    assert found["erased"] == ["gone"]
    assert [one["given"] for one in found["rejected"]] == ["no name", "", ""]
    assert {one["reason"] for one in found["rejected"]} <= {one.value for one in Rejection}
    task = api.get(f"/api/tasks/{found['created'][0]['task_id']}").json()
    assert (task["username"], task["priority"], task["status"]) == ("ada", 1, "pending")
    assert assets.execute("select source from blogs where username = 'ada'").fetchone() == ("api",)


def test_the_answer_shortens_what_it_repeats(api: TestClient) -> None:
    answer = api.post("/api/tasks/scrape", json={"usernames": ["no name " * 1_000]})
    assert len(answer.json()["rejected"][0]["given"]) <= 100


def test_a_thousand_long_addresses_fit_and_a_thousand_and_one_do_not(
    api: TestClient, assets: Connection
) -> None:
    names = [f"https://www.instagram.com/name_{n:025d}/?igsh={'x' * 60}" for n in range(1_000)]
    assert len(json.dumps(names)) > LARGEST_BODY_BYTES
    answer = api.post("/api/tasks/scrape", json={"usernames": names})
    assert answer.status_code == 202, answer.text
    assert len(answer.json()["created"]) == 1_000
    assert count(assets, "scrape_tasks") == 1_000
    assert api.post("/api/tasks/scrape", json={"usernames": ["ada"] * 1_001}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"usernames": []},
        {"usernames": "ada"},
        {"usernames": [1]},
        {"usernames": [None]},
        {"usernames": ["ada"], "priority": 0},
        {"usernames": ["ada"], "priority": 4},
        {"usernames": ["ada"], "priority": 1.5},
        {"usernames": ["ada"], "more": 1},
        [],
        None,
    ],
)
def test_a_wrong_body_is_refused_and_writes_nothing(
    api: TestClient, assets: Connection, body: object
) -> None:
    answer = api.post("/api/tasks/scrape", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert count(assets, "blogs") == count(assets, "scrape_tasks") == 0


@pytest.mark.parametrize("prefix", ["/api", "/api/v1/influencers"])
def test_bodies_are_bounded_by_route(api: TestClient, prefix: str) -> None:
    large = b" " * (LARGEST_SCRAPE_BYTES + 1)
    kind = {"content-type": "application/json"}
    assert api.post(f"{prefix}/tasks/scrape", content=large, headers=kind).status_code == 413
    assert api.post(f"{prefix}/tasks/scrape", content=iter([large]), headers=kind).status_code in (400, 413)
    small = large[: LARGEST_BODY_BYTES + 1]
    assert api.post(f"{prefix}/tasks/scrape", content=small, headers=kind).status_code == 422
    assert api.post(f"{prefix}/tasks/discover", content=small, headers=kind).status_code == 413
    deep = b"[" * 60_000
    assert api.post(f"{prefix}/tasks/discover", content=deep, headers=kind).status_code in (400, 422)


def test_a_hashtag_makes_one_task_however_it_is_written(api: TestClient) -> None:
    first = api.post("/api/tasks/discover", json={"hashtag": "#OOTD"})
    assert first.status_code == 202
    again = api.post("/api/v1/influencers/tasks/discover", json={"hashtag": "ootd", "priority": 1}).json()
    assert first.json() == {"hashtag": "ootd", "task_id": again["task_id"], "is_new": True}
    assert again["is_new"] is False
    task = api.get(f"/api/tasks/{again['task_id']}").json()
    assert (task["hashtag"], task["username"], task["blog_id"]) == ("ootd", None, None)
    assert (task["task_type"], task["priority"]) == ("discover", 1)


@pytest.mark.parametrize("hashtag", ["#", "two words", "a\x00b", "🙂", "\ud800", "x" * 501])
def test_what_is_no_hashtag_is_a_422(api: TestClient, hashtag: str) -> None:
    body = json.dumps({"hashtag": hashtag})
    kind = {"content-type": "application/json"}
    assert api.post("/api/tasks/discover", content=body, headers=kind).status_code == 422


def test_tasks_are_listed_by_state_and_type_in_pages(api: TestClient, assets: Connection) -> None:
    ask_for_blogs(assets, [f"name{n}" for n in range(30)])
    STORE.create(assets, [NewTask(TaskType.DISCOVER, "ootd", 3)])
    first = api.get("/api/tasks?limit=20").json()
    second = api.get("/api/tasks?limit=20&offset=20").json()
    assert (first["has_more"], second["has_more"]) == (True, False)
    ids = [task["id"] for task in first["tasks"] + second["tasks"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 31
    before = api.get(f"/api/tasks?limit=20&before={first['tasks'][-1]['id']}").json()
    assert before["tasks"] == second["tasks"]
    assert [task["hashtag"] for task in api.get("/api/tasks?task_type=discover").json()["tasks"]] == ["ootd"]
    assert api.get("/api/tasks?status=done").json()["tasks"] == []
    assert len(api.get("/api/tasks?status=pending&task_type=full_scrape").json()["tasks"]) == 30


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        f"limit={MOST_TASKS + 1}",
        "offset=-1",
        f"offset={LARGEST_OFFSET + 1}",
        "before=0",
        "before=9223372036854775808",
        "status=lost",
        "task_type=x",
    ],
)
def test_a_query_out_of_bounds_is_a_422(api: TestClient, query: str) -> None:
    assert api.get(f"/api/tasks?{query}").status_code == 422


@pytest.mark.parametrize(
    ("task_id", "status"), [("1", 404), ("0", 422), ("x", 422), ("9" * 19, 422), ("9" * 5_000, 422)]
)
def test_a_task_that_is_not_there_is_no_server_error(api: TestClient, task_id: str, status: int) -> None:
    assert api.get(f"/api/tasks/{task_id}").status_code == status


def test_another_host_name_is_not_served(stranger: TestClient) -> None:
    assert stranger.get("/api/health", headers={"Host": "evil.example"}).status_code == 421


# Made-up requests


def test_the_description_has_models_and_problems_and_says_what_the_key_is(app: FastAPI) -> None:
    described = json.dumps(app.openapi())
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', described))
    assert named <= set(app.openapi()["components"]["schemas"])
    assert {"ScrapeRequest", "ScrapeAnswer", "TaskPage", "TaskView", "Health"} <= named
    assert "application/problem+json" in described
    assert "SCRAPER_API_KEY" in described


def test_no_made_up_request_ends_in_a_server_error(app: FastAPI) -> None:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers={"host": "127.0.0.1"})
    answered: list[int] = []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(headers={**(case.headers or {}), **BEARER, "host": "127.0.0.1"})
            answered.append(answer.status_code)
            checks = [
                schemathesis.checks.not_a_server_error,
                schemathesis.specs.openapi.checks.status_code_conformance,
                schemathesis.specs.openapi.checks.response_schema_conformance,
            ]
            case.validate_response(answer, checks=checks)

        ask()
    assert len(answered) > 100
    assert {200, 202, 422} <= set(answered)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    names=st.lists(
        st.one_of(st.text(max_size=50), st.from_regex(r"@?[a-zA-Z0-9_.]{1,32}")), min_size=1, max_size=20
    )
)
def test_each_name_of_any_list_is_in_one_list_of_the_answer(api: TestClient, names: list[str]) -> None:
    body = json.dumps({"usernames": names})
    answer = api.post("/api/tasks/scrape", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 202, answer.text
    found = answer.json()
    known = [one["username"] for one in found["created"] + found["existing"]]
    assert len(known) == len(set(known))
    assert len(known) + len(found["rejected"]) <= len(names)
    assert found["erased"] == []
