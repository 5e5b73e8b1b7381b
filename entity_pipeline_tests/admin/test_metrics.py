"""`/metrics`: the ledger's figures to the unit, in the two formats, for anyone with the token."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from fastapi import FastAPI
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app, shell_for
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.endpoint import every_metrics_part
from entity_pipeline.admin.metrics.families import described
from entity_pipeline.admin.metrics.part import PREFIX
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.page.figures import EntityFigures
from entity_pipeline.domains.entities.page.metrics import FAILED_REASONS
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline_tests.admin.installations import (
    CONFIGURATION,
    TOKEN,
    api_of,
    automation,
    insert_account,
    installation_of,
)
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.page.page_data import MODEL, fill_queue, link, review
from entity_pipeline_tests.shared.runs.ticks import decided

Samples = dict[tuple[str, ...], float]
DOCUMENT = Path(__file__).parents[2] / "docs" / "watching.md"


def samples(text: str) -> Samples:
    """Every sample by its name and its labels' values, in the order of the labels' names."""
    return {
        (
            sample.name.removeprefix(PREFIX),
            *(sample.labels[name] for name in sorted(sample.labels)),
        ): sample.value
        for family in text_parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(api: TestClient) -> Samples:
    answer = api.get("/metrics")
    assert answer.status_code == 200, answer.text
    return samples(answer.text)


def event(assets: ClonedDatabase, state: str = "settled", **columns: Any) -> None:
    """One request of today."""
    values = {
        "pipeline": EntitySettings.row,
        "step": "review",
        "model": MODEL,
        "grounded": True,
        "state": state,
        **columns,
    }
    names = ", ".join(values)
    with assets.connection() as connection:
        connection.execute(
            f"insert into gemini_usage_events ({names}) values ({', '.join(f'%({name})s' for name in values)})",
            values,
        )


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong-token-of-nobody"}, {"Authorization": f"Basic {TOKEN}"}],
    ids=["no token", "wrong token", "another scheme"],
)
def test_without_the_token_no_figure_is_shown(client: TestClient, headers: Mapping[str, str]) -> None:
    answer = client.get("/metrics", headers=dict(headers))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert PREFIX not in answer.text


def test_the_cookie_of_a_person_does_not_open_it(client: TestClient, app: FastAPI) -> None:
    cookie = app.state.access.sign_in(TOKEN, "Kim", "127.0.0.1")
    client.cookies.set(app.state.access.cookie_name, cookie)
    assert client.get("/metrics").status_code == 401


def test_the_figures_are_the_ledgers_to_the_unit(
    api: TestClient, installation: Installation, assets_db: ClonedDatabase
) -> None:
    for state, times in {
        "settled": 7,
        "sent": 3,
        "reserved": 2,
        "failed": 4,
        "unknown": 1,
        "released": 5,
    }.items():
        for _ in range(times):
            event(assets_db, state, cost_usd="0.012345", search_queries=2)
    event(assets_db, grounded=False, cost_usd="0.5", search_queries=0)
    event(assets_db, pipeline="another", model="a-model-of-nobody", cost_usd="1.25", search_queries=1)
    found, quota = scraped(api), installation.gemini.quota()
    assert {state: found["quota_units", state] for state in ("used", "reserved", "remaining")} == {
        "used": quota.used,
        "reserved": quota.reserved,
        "remaining": quota.remaining,
    }
    assert (quota.used, quota.reserved) == (16, 2)
    assert found["quota_cap_units",] == quota.cap == 1_450
    assert found["quota_reached",] == 0
    assert found["quota_reset_timestamp_seconds",] == quota.resets_at.timestamp()
    assert found["quota_info", MODEL, "prompt"] == 1
    spent = {labels[1:]: cost for labels, cost in found.items() if labels[0] == "spend_today_usd"}
    assert sum(spent.values()) == pytest.approx(float(quota.spent_usd), abs=1e-9)
    assert spent == {
        **{(domain.key, model): 0 for domain in DOMAINS for model in MODELS},
        ("entities", MODEL): pytest.approx(17 * 0.012345 + 0.5),
        ("other", "other"): 1.25,
    }
    assert found["spend_limit_usd",] == float(quota.spend_limit_usd)
    # The labels in their alphabet's order: grounded, state.
    requests = {
        state: found["gemini_requests_today", "true", state] for state in ("settled", "sent", "released")
    }
    assert requests == {"settled": 8, "sent": 3, "released": 5}
    assert found["gemini_requests_today", "false", "settled"] == 1


def test_a_request_of_yesterday_does_not_count_today(
    api: TestClient, assets_db: ClonedDatabase, installation: Installation
) -> None:
    yesterday = installation.gemini.quota().quota_day - timedelta(days=1)
    event(assets_db, quota_day=yesterday, cost_usd=1, input_hash="of-ours")
    found = scraped(api)
    assert found["gemini_requests_today", "true", "settled"] == 0
    assert found["spend_today_usd", "entities", MODEL] == 0
    assert found["replies_24h", "false"] == 1  # it was answered a moment ago, and without a search


def test_a_reached_cap_and_a_closed_breaker_are_shown(api: TestClient, assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        connection.execute(
            "update pipeline_settings set is_enabled = true, settings = %s",
            [Jsonb({"daily_grounding_cap": 1})],
        )
    event(assets_db, "failed", blocked_until=datetime.now(UTC) + timedelta(hours=1))
    found = scraped(api)
    assert (found["quota_reached",], found["gemini_blocked",], found["quota_units", "remaining"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("delete from pipeline_settings", "no_settings_row"),
        ("update pipeline_settings set is_enabled = false", "switched_off"),
        (
            "update pipeline_settings set is_enabled = true, settings = '{\"concurrency\": 0}'",
            "unreadable_settings",
        ),
        ("update pipeline_settings set is_enabled = true", None),
    ],
    ids=["no row", "off", "unreadable", "open"],
)
def test_the_gate_is_shown_with_its_reason(
    api: TestClient, assets_db: ClonedDatabase, row: str, reason: str | None
) -> None:
    with assets_db.connection() as connection:
        connection.execute(row)
    found = scraped(api)
    assert found["gate_open", "entities"] == (reason is None)
    assert {key[2] for key, value in found.items() if key[0] == "gate_closed" and value} == {reason} - {None}


def test_the_backlog_equals_that_of_the_page(
    api: TestClient, installation: Installation, operation_db: ClonedDatabase
) -> None:
    long_ago = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with operation_db.connection() as connection:
        fill_queue(connection, pending=12)
        insert_account(connection, "waits.longest", created_at=long_ago)
        insert_account(
            connection, "was.there.before", {"gemini_review": review()}, created_at=long_ago - timedelta(1)
        )
        insert_account(
            connection,
            "of.an.older.version",
            {"gemini_review": review(), "catalog_link": link("held", "a_reason_of_once")},
        )
    found, counts = scraped(api), EntityFigures(installation).counts()
    assert {state: found["accounts", state] for state in AccountState} == {
        count.value: count.accounts for count in counts.states
    }
    assert found["accounts", "pending"] == 13
    assert found["backlog_oldest_timestamp_seconds",] == long_ago.timestamp()
    held = {count.value: count.accounts for count in counts.held_reasons}
    assert found["held_accounts", "no_support"] == held["no_support"] == 2
    # The hostile account's reason, and that of an older version.
    assert found["held_accounts", "other"] == 2
    assert found["failed_accounts", "broken_json"] == 1
    assert {"broken_json", "no_json"} <= set(FAILED_REASONS)


def test_profiles_and_pictures_that_wait_are_counted(api: TestClient, operation_db: ClonedDatabase) -> None:
    later = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    with operation_db.connection() as connection:
        insert_account(connection, "never.looked.at")
        for number, outcome in enumerate(["found", "found", "rate_limited"]):
            backfill = {"status": "deferred", "outcome": outcome, "next_attempt_at": later}
            insert_account(connection, f"later.{number}", {"profile_backfill": backfill})
        insert_account(connection, "done", {"profile_backfill": {"status": "found", "outcome": "found"}})
    found = scraped(api)
    assert (found["profiles_waiting", "now"], found["profiles_waiting", "later"]) == (1, 3)
    assert found["pictures_put_off",] == 2


def test_the_pool_is_counted_by_state_and_never_by_name(api: TestClient, assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        connection.execute("insert into instagram_routes (name, state) values ('secret-route', 'cooling')")
        connection.execute(
            "insert into instagram_pool_accounts (username, state, route) values "
            "('operators.own', 'active', 'direct'), ('operators.other', 'needs_session', 'secret-route')"
        )
    text = api.get("/metrics").text
    found = samples(text)
    assert {
        state: found["instagram_pool_accounts", state] for state in ("active", "needs_session", "cooling")
    } == {
        "active": 1,
        "needs_session": 1,
        "cooling": 0,
    }
    assert found["instagram_routes", "cooling"] == 1
    assert "operators" not in text
    assert "secret" not in text


def test_metrics_contain_no_account_no_token_and_no_text_from_outside(
    api: TestClient, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with operation_db.connection() as connection:
        fill_queue(connection, pending=3)
        names = [row[0] for row in connection.execute("select username from instagram_accounts").fetchall()]
    event(assets_db, model='evil"\n} 1\nentity_pipeline_up{part="x', subject="amber.row", state="failed")
    api.get("/api/v1/accounts/amber.row")
    api.get("/nothing/amber.row")
    text = api.get("/metrics").text
    assert not [name for name in [*names, TOKEN, "hacked", "evil", "onerror"] if name in text]
    found = samples(text)
    assert found["http_requests_total", "GET", "/api/v1/accounts/{username}", "200"] == 1
    assert found["http_requests_total", "GET", "unmatched", "404"] == 1
    api.get("/api/v1/entities/accounts/amber.row")
    again = samples(api.get("/metrics").text)
    assert again["http_requests_total", "GET", "/api/v1/entities/accounts/{username}", "200"] == 1
    assert found["http_request_duration_seconds_count", "unmatched"] == 1


def test_runs_and_the_schedules_last_decision_come_from_dagsters_records(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, fast_path: Path
) -> None:
    (fast_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(fast_path)) as instance:
        instance.add_run(dg.DagsterRun(job_name="intake_job", status=dg.DagsterRunStatus.STARTED))
        for job in ("linking_job", "someone_elses_job"):
            instance.add_run(dg.DagsterRun(job_name=job, status=dg.DagsterRunStatus.FAILURE))
        decided(instance, TickStatus.SKIPPED, minutes_ago=90)
        found = scraped(_api(assets_db, operation_db, instance))
    assert found["up", "dagster"] == 1
    assert (found["runs_in_flight", "QUEUED"], found["runs_in_flight", "STARTED"]) == (0, 1)
    failing = {key[1] for key, value in found.items() if key[0] == "job_failing" and value}
    assert failing == {"linking_job", "other"}
    age_s = datetime.now(UTC).timestamp() - found["schedule_decision_timestamp_seconds",]
    assert 89 * 60 < age_s < 91 * 60


def _api(assets_db: Any, operation_db: Any, instance: dg.DagsterInstance | None = None) -> TestClient:
    dagster = DagsterRecords(None, lambda: instance, automation()) if instance is not None else None
    return api_of(
        create_app(DOMAINS, installation_of(assets_db, operation_db, dagster=dagster), CONFIGURATION)
    )


def test_figures_from_dagster_remain_while_the_assets_database_is_away(
    operation_db: ClonedDatabase, fast_path: Path
) -> None:
    nowhere = PostgresResource(url="postgresql://nobody:a-password@127.0.0.1:1/nothing")
    (fast_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(fast_path)) as instance:
        answer = _api(nowhere, operation_db, instance).get("/metrics")
    found = samples(answer.text)
    assert answer.status_code == 200
    assert {
        part: found["up", part] for part in ("settings", "gemini", "instagram", "entities", "dagster")
    } == {
        "settings": 0,
        "gemini": 0,
        "instagram": 0,
        "entities": 0,
        "dagster": 1,
    }
    assert not [key for key in found if key[0] in ("gate_open", "quota_cap_units", "accounts")]
    assert found["runs_in_flight", "QUEUED"] == 0
    assert "a-password" not in answer.text


def test_clients_that_accept_openmetrics_get_it(api: TestClient) -> None:
    answer = api.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = list(openmetrics_parser.text_string_to_metric_families(answer.text))
    assert f"{PREFIX}quota_units" in {family.name for family in families}
    assert answer.text.endswith("# EOF\n")


def test_names_and_help_texts_follow_the_conventions_of_prometheus(api: TestClient) -> None:
    api.get("/api/v1/health")
    for family in text_parser.text_string_to_metric_families(api.get("/metrics").text):
        assert re.fullmatch(r"(entity_pipeline|process)_[a-z0-9_]+", family.name), family.name
        assert family.documentation.strip(), family.name
        assert len(family.samples) <= 120, f"{family.name} has too many series"
        if not family.name.startswith("process_"):
            assert family.documentation[0].isupper()
            assert family.documentation.endswith((".", "10,000."))
        words = family.name.split("_")
        assert not {"gauge", "counter", "histogram", "ms", "milliseconds", "minutes", "kb"} & set(words), (
            words
        )
        assert (words[-1] == "total") <= (family.type == "counter"), family.name
        for sample in family.samples:
            assert (
                not {"le", "quantile", "instance", "job_name"} & set(sample.labels)
                or family.type == "histogram"
            )
            assert all(len(value) <= 60 for value in sample.labels.values())


def test_the_document_has_every_metric_with_its_labels_and_meaning(installation: Installation) -> None:
    rows = re.findall(
        r"^\| `entity_pipeline_(\w+)` \| (.*?) \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    shown = {name: (tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, labels, meaning in rows}
    families = described(every_metrics_part(shell_for(DOMAINS, installation, CONFIGURATION)))
    assert shown == {name: (one.labels, one.help) for name, one in families.items()}
