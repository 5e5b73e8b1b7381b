"""`/api/v1`: the figures, the one change, and what happens when something is wrong."""

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.admin.installation import Installation
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.audit import PAGE_ACTOR
from entity_pipeline.domains.entities.page.scheduler import scheduler_figures
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.admin.installations import (
    BEARER,
    CONFIGURATION,
    TOKEN,
    api_of,
    automation,
    insert_account,
    installation_of,
)
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.settings_rows import put_rows

Connection = psycopg.Connection[Any]
NEEDS_TOKEN = [
    "scheduler",
    "quota",
    "queue",
    "queue/counts",
    "queue/export.csv",
    "queue/export.json",
    "accounts/acme",
]


def event(connection: Connection, **columns: Any) -> None:
    values = {
        "pipeline": EntitySettings.row,
        "step": "instagram_account_review",
        "model": "gemini-2.5-flash",
        **columns,
    }
    names = ", ".join(values)
    connection.execute(
        f"insert into gemini_usage_events ({names}) values ({', '.join(f'%({name})s' for name in values)})",
        values,
    )


@pytest.mark.parametrize("path", NEEDS_TOKEN)
def test_without_the_token_there_are_no_figures(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_health_needs_no_token_and_names_what_is_away(client: TestClient) -> None:
    answer = client.get("/api/v1/health")
    assert answer.status_code == 200
    assert answer.json()["parts"] == [
        {"name": "operation", "problem": None},
        {"name": "assets", "problem": None},
        {"name": "dagster", "problem": "Dagster's storage can't be read."},
    ]


@pytest.fixture
def away(assets_db: ClonedDatabase) -> TestClient:
    """The operation database is at an address where nothing listens."""
    gone = PostgresResource(url="postgresql://nobody:secret-word@127.0.0.1:1/operation")
    return api_of(create_app(DOMAINS, installation_of(assets_db, gone), CONFIGURATION))


def test_an_unreachable_database_is_named_and_the_rest_works(away: TestClient) -> None:
    assert away.get("/api/v1/health").status_code == 503
    answer = away.get("/api/v1/queue")
    assert answer.status_code == 503
    assert "can't be reached" in answer.json()["detail"]
    assert "secret-word" not in answer.text
    assert away.get("/api/v1/queue/export.csv").status_code == 503
    quota = away.get("/api/v1/quota")
    assert quota.status_code == 200
    assert quota.json()["forecast"]["pending"] == 0  # the list is in `assets`


def test_no_change_is_made_that_the_audit_log_can_not_record(away: TestClient, assets: Connection) -> None:
    seen = assets.execute(
        "select updated_at from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone()
    assert seen is not None
    body = {"updated_at": seen[0].isoformat(), "is_enabled": True}
    assert away.patch("/api/v1/scheduler", json=body).status_code == 503
    assert assets.execute(
        "select is_enabled, updated_at from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == (
        False,
        seen[0],
    )


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("enrichment_job", "A run is at work. No account of any other cohort waits for a review."),
        ("intake_job", "A run is taking in posts. No account waits for a review yet."),
        ("linking_job", "No account waits for a review."),
    ],
)
def test_a_run_of_the_command_is_not_overlooked_while_no_account_waits(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, assets: Connection, job: str, said: str
) -> None:
    put_rows(assets, on=True)
    with dg.instance_for_test() as instance:
        # Like a run of the command, it has no code location.
        instance.create_run_for_job(
            job_def=dg.GraphDefinition(name=job).to_job(),
            status=dg.DagsterRunStatus.STARTED,
            tags=range_tags("2026-11-01", "2026-11-02"),
        )
        dagster = DagsterRecords(None, lambda: instance, automation())
        found = scheduler_figures(installation_of(assets_db, operation_db, dagster=dagster))
    assert str(found.waits_because) == said


def test_the_switch_is_written_with_its_author_and_recorded(
    api: TestClient, assets: Connection, operation: Connection
) -> None:
    before = api.get("/api/v1/scheduler").json()
    assert before["is_enabled"] is False
    assert "switched off" in before["waits_because"]
    change = {
        "updated_at": before["updated_at"],
        "is_enabled": True,
        "settings": {"thresholds": {"brand": 0.7}},
    }
    answer = api.patch("/api/v1/scheduler", json=change)
    assert answer.status_code == 200
    assert answer.json()["is_open"] is True
    assert answer.json()["waits_because"] == "No account waits for a review."
    assert answer.json()["settings"]["thresholds"] == {"artist": 0.9, "brand": 0.7, "group": 0.9}
    assert assets.execute(
        "select is_enabled, settings, updated_by from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == (
        True,
        {"thresholds": {"brand": 0.7}},
        "page:api",
    )
    rows = operation.execute(
        "select admin_user_id, action, target_table, target_id, before_state -> 'is_enabled', "
        "after_state -> 'is_enabled', metadata ->> 'who' from admin_audit_log"
    ).fetchall()
    assert rows == [(PAGE_ACTOR, "entity_enrichment.settings", "pipeline_settings", None, False, True, "api")]


def test_a_change_made_from_an_older_row_is_refused_with_the_row_as_it_stands(
    api: TestClient, operation: Connection
) -> None:
    seen = api.get("/api/v1/scheduler").json()["updated_at"]
    first = {"updated_at": seen, "settings": {"accounts_per_tick": 100}}
    assert api.patch("/api/v1/scheduler", json=first).status_code == 200
    answer = api.patch("/api/v1/scheduler", json={"updated_at": seen, "settings": {"accounts_per_tick": 200}})
    assert answer.status_code == 409
    assert answer.json()["current"]["settings"] == {"accounts_per_tick": 100}
    assert operation.execute("select count(*) from admin_audit_log").fetchone() == (1,)


BAD_CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("out of range", {"settings": {"thresholds": {"brand": 1.5}}}, "at most 1"),
    ("unknown", {"settings": {"daily_cap": 5}}, "not a known setting"),
    ("wrong type", {"settings": {"accounts_per_tick": "many"}}, "whole number"),
    ("nothing", {}, "Nothing was changed"),
    ("lone surrogate", {"settings": {"\ud800": 1}}, "unicode"),
    ("acknowledgement", {"settings": {"instagram_backfill_enabled": True}}, "terms_acknowledged"),
]


@pytest.mark.parametrize(
    ("change", "said"), [case[1:] for case in BAD_CHANGES], ids=[c[0] for c in BAD_CHANGES]
)
def test_a_bad_value_changes_nothing_and_says_why(
    api: TestClient, assets: Connection, operation: Connection, change: dict[str, Any], said: str
) -> None:
    seen = api.get("/api/v1/scheduler").json()["updated_at"]
    answer = api.patch(
        "/api/v1/scheduler",
        content=json.dumps({"updated_at": seen, **change}),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert assets.execute(
        "select settings from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == ({},)
    assert operation.execute("select count(*) from admin_audit_log").fetchone() == (0,)


def test_a_null_takes_a_setting_back_to_its_default(api: TestClient, assets: Connection) -> None:
    assets.execute(
        """update pipeline_settings set settings = '{"accounts_per_tick": 3, "concurrency": 2}'
        where platform = 'entity_enrichment'"""
    )
    seen = api.get("/api/v1/scheduler").json()
    body = {"updated_at": seen["updated_at"], "settings": {"accounts_per_tick": None}}
    assert api.patch("/api/v1/scheduler", json=body).json()["stored"] == {"concurrency": 2}


def test_settings_that_can_not_be_read_are_shown_and_can_be_corrected(
    api: TestClient, assets: Connection
) -> None:
    assets.execute(
        """update pipeline_settings set is_enabled = true, settings = '{"accounts_per_tick": "x"}'
        where platform = 'entity_enrichment'"""
    )
    found = api.get("/api/v1/scheduler").json()
    assert (found["is_enabled"], found["is_open"]) == (True, False)
    assert "accounts_per_tick" in found["closed_because"]
    body = {"updated_at": found["updated_at"], "settings": {"accounts_per_tick": 7}}
    assert api.patch("/api/v1/scheduler", json=body).json()["is_open"] is True


def test_the_quota_is_the_ledgers_to_the_unit(
    api: TestClient, assets: Connection, assets_db: ClonedDatabase
) -> None:
    today = assets.execute("select (now() at time zone 'America/Los_Angeles')::date").fetchone()
    assert today is not None
    for nth in range(7):
        event(
            assets,
            grounded=True,
            state="settled",
            cost_usd=Decimal("0.001"),
            search_queries=2,
            subject=f"a{nth}",
        )
    event(assets, grounded=True, state="reserved", cost_usd=Decimal("0.5"))
    event(assets, grounded=True, state="released", cost_usd=Decimal(0))
    event(
        assets,
        grounded=False,
        state="settled",
        cost_usd=Decimal("0.002"),
        search_queries=0,
        model="gemini-other",
        pipeline="news",
    )
    event(
        assets, grounded=True, state="settled", quota_day=date(2026, 1, 1), created_at="2026-01-01T12:00:00Z"
    )
    assets.execute(
        "insert into gemini_spend_daily (quota_day, pipeline, step, model, requests, cost_usd) "
        "values (%(day)s - 2, 'x', 'y', 'gemini-2.5-flash', 4, 0.25), (%(day)s, 'x', 'y', 'stale', 99, 99)",
        {"day": today[0]},
    )
    resource = GeminiResource(assets_db=PostgresResource(url=assets_db.url), api_key="k")
    theirs = resource.quota()
    found = api.get("/api/v1/quota").json()
    for name in (
        *("used", "reserved", "remaining", "cap", "cap_reached", "model", "unit"),
        *("period", "free_units", "used_in_period", "is_paid", "answered_by"),
    ):
        assert found[name] == getattr(theirs, name), name
    assert (found["used"], found["reserved"]) == (7, 1)
    assert (
        Decimal(found["spent_usd"])
        == theirs.spent_usd
        == sum(Decimal(model["today_usd"]) for model in found["models"])
    )
    assert len(found["history"]) == 30
    assert found["history"][-1]["grounded_requests"] == 8
    assert Decimal(found["history"][-3]["cost_usd"]) == Decimal("0.25")
    assert "stale" not in {model["model"] for model in found["models"]}


def test_days_that_no_roll_up_has_seen_are_read_from_the_ledger(api: TestClient, assets: Connection) -> None:
    day = assets.execute("select (now() at time zone 'America/Los_Angeles')::date").fetchone()
    assert day is not None
    # The roll-up ran last six days ago, before that day's last request, and never since.
    for ago in (6, 6, 3, 1):
        at = datetime.combine(day[0] - timedelta(days=ago), time(20), UTC)
        event(
            assets,
            grounded=True,
            state="settled",
            cost_usd=Decimal("0.01"),
            quota_day=at.date(),
            created_at=at.isoformat(),
        )
    assets.execute(
        "insert into gemini_spend_daily (quota_day, pipeline, step, model, requests, grounded_requests, cost_usd) "
        "values (%(day)s - 8, 'x', 'y', 'm', 5, 5, 0.05), (%(day)s - 6, 'x', 'y', 'm', 1, 1, 0.01)",
        {"day": day[0]},
    )
    found = api.get("/api/v1/quota").json()
    assert [days["grounded_requests"] for days in found["history"][-9:]] == [5, 0, 2, 0, 0, 1, 0, 1, 0]


def test_an_account_shows_everything_and_no_address_that_runs(
    api: TestClient, operation: Connection, assets: Connection
) -> None:
    review = {
        "status": "reviewed",
        "reviewed_at": "2026-11-01T00:00:00+00:00",
        "review": {"account_type": "brand", "field_confidence": {"account_type": 0.97, "name_en": 7}},
        "confidence": 0.8,
        "evidence": [
            {"claim": "<script>alert(1)</script>", "uri": "javascript:alert(1)", "names_account": True},
            {"claim": "x", "uri": "https://example.org/a", "title": "t"},
            "not an object",
        ],
        "search_queries": ["acme brand", 3],
        "search_entry_point": "<style>a{}</style><div>q</div>",
    }
    account = insert_account(
        operation,
        "Acme",
        {
            "gemini_review": review,
            "catalog_link": {"status": "held", "reasons": ["below_threshold", "old"], "run_id": "cli"},
            "profile_backfill": {
                "image": {"url": "javascript:x"},
                "history": "junk",
                "fields_written": {"bio": "h"},
            },
        },
        bio="<img src=x onerror=alert(1)>",
    )
    operation.execute(
        "insert into admin_audit_log (admin_user_id, action, target_table, target_id, after_state) "
        "values (gen_random_uuid(), 'person.edit', 'instagram_accounts', %s, %s)",
        [account, Jsonb({"bio": "x"})],
    )
    event(assets, subject="acme", grounded=True, state="settled", cost_usd=Decimal("0.003"), prompt_tokens=10)
    event(assets, subject="acme_two", grounded=True, state="settled", cost_usd=Decimal(9))
    found = api.get("/api/v1/accounts/acme").json()
    assert found["username"] == "Acme"
    assert found["profile"]["bio"] == "<img src=x onerror=alert(1)>"
    assert [item["uri"] for item in found["review"]["evidence"]] == [None, "https://example.org/a"]
    assert found["review"]["threshold"] == 0.85
    scores = {field["name"]: field["confidence"] for field in found["review"]["fields"]}
    assert (scores["account_type"], scores["name_en"]) == (0.97, None)
    assert found["review"]["has_search_suggestions"] is True
    assert found["profile"]["image_url"] is None
    assert [reason["meaning"] is None for reason in found["link"]["reasons"]] == [False, True]
    assert found["link"]["run_url"] is None
    assert [row["action"] for row in found["history"]] == ["person.edit"]
    assert [row["tokens"] for row in found["ledger"]] == [10]
    assert Decimal(found["cost_usd"]) == Decimal("0.003")
    assert found["edit_url"] == f"https://catalog.example/accounts/{account}"


@pytest.mark.parametrize("name", ["nobody", "%00", "%F0%9F%98%80", "a" * 200, "%ED%A0%80", "' or 1=1 --"])
def test_a_missing_account_is_a_404(api: TestClient, name: str) -> None:
    assert api.get(f"/api/v1/accounts/{name}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "state=x",
        "limit=0",
        "limit=201",
        "region=jp",
        "cohort=2026-13-01",
        "cursor=x",
        "unknown=1",
        "reason=A",
        "sort=x",
    ],
)
def test_a_query_that_can_not_be_used_is_a_422(api: TestClient, query: str) -> None:
    answer = api.get(f"/api/v1/queue?{query}")
    assert answer.status_code == 422
    assert answer.json()["status"] == 422


def test_a_refused_value_is_explained_without_a_regular_expression(api: TestClient) -> None:
    detail = api.get("/api/v1/queue?region=Korea").json()["detail"]
    assert "region: this form is not allowed" in detail
    assert "^" not in detail
    assert "must be a day as YYYY-MM-DD" in api.get("/api/v1/queue?cohort=1").json()["detail"]


def test_a_search_may_be_anything(api: TestClient, operation: Connection) -> None:
    insert_account(operation, "acme")
    for search in ("%00", "%FF", "%25", "_", "'", "%EA%B0%80", "@", "\\"):
        assert api.get(f"/api/v1/queue?search={search}").status_code == 200


def test_the_description_refers_to_nothing_that_is_not_in_it(api: TestClient) -> None:
    described = api.get("/api/v1/openapi.json").text
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', described))
    assert named
    assert named <= set(json.loads(described)["components"]["schemas"])
    assert "application/problem+json" in described


@pytest.mark.parametrize(
    "day", ["0", "1732579200", "2026-11-1", "20261101", "٢٠٢٦-١١-٠١", "2026-11-01T00:00:00"]
)
def test_a_cohort_is_a_day_and_nothing_else(api: TestClient, day: str) -> None:
    assert api.get("/api/v1/queue", params={"cohort": day}).status_code == 422
    assert api.get("/api/v1/queue", params={"cohort": "2026-11-01"}).status_code == 200


def test_no_made_up_request_ends_in_a_server_error(
    installation: Installation, operation: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one token opens the APIs of all domains here.
    monkeypatch.setenv("SCRAPER_API_KEY", TOKEN)
    app = create_app(DOMAINS, installation, CONFIGURATION)
    insert_account(operation, "acme", {"gemini_review": {"status": "reviewed"}})
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers={"host": "127.0.0.1"})
    asked: list[int] = []
    for result in schema.get_all_operations():
        operation_: Any = result.ok()  # type: ignore[union-attr]

        @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation_.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(headers={**(case.headers or {}), **BEARER, "host": "127.0.0.1"})
            asked.append(answer.status_code)
            case.validate_response(answer, checks=[schemathesis.checks.not_a_server_error])

        ask()
    assert len(asked) > 100
    assert {200, 422} <= set(asked)
    assert max(asked) < 500
