"""What `gemini_quota` shows, beside the ledger and the administration page, on the real databases."""

from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import pytest

from entity_pipeline.admin.gemini_quota import history_begins, quota_figures, spent_days
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.definitions import defs
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.gemini.ledger_reading import spend_since
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.shared.gemini_spend.by_day import HISTORY_DAYS, last_days
from entity_pipeline.shared.gemini_spend.quota import day_in_words
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import Graph, graph, plain

STEP = ("entity_enrichment", "instagram_account_review", "gemini-2.5-flash")


@pytest.fixture
def installation(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    with graph(assets_db, operation_db) as built:
        yield built


def spend(installation: Graph) -> dict[str, Any]:
    """One run of the schedule's job; what `gemini_quota` shows."""
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    job = installation.definitions.resolve_job_def("spend_job")
    result = job.execute_in_process(instance=installation.instance, run_config=quiet)
    return plain(result.asset_materializations_for_node("gemini_quota")[0].metadata)


def event(
    installation: Graph, at: datetime, cost_usd: str, state: str = "settled", model: str = STEP[2]
) -> None:
    """A row of the ledger, grounded."""
    with installation.assets_db.connection() as connection:
        connection.execute(
            "insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, grounded, state, "
            "quota_day, search_queries, cost_usd) values (%(at)s, %(at)s, %(pipeline)s, %(step)s, %(model)s, true, "
            "%(state)s, (%(at)s::timestamptz at time zone 'America/Los_Angeles')::date, 2, %(cost)s)",
            {
                "at": at,
                "pipeline": STEP[0],
                "step": STEP[1],
                "model": model,
                "state": state,
                "cost": cost_usd,
            },
        )


def test_the_figures_are_those_of_the_ledger_and_of_the_page(installation: Graph) -> None:
    now = datetime.now(UTC)
    installation.settings(daily_grounding_cap=7)
    for back, cost in ((0, "0.01"), (0, "0.02"), (1, "0.5"), (1, "0.25"), (29, "0.125"), (31, "9")):
        event(installation, now - timedelta(days=back), cost)
    event(installation, now, "0.04", state="sent")
    event(installation, now, "0.08", state="reserved")
    event(installation, now, "0.16", state="released")
    event(installation, now, "0.005", model="gemini-2.5-flash-lite")
    shown = spend(installation)

    gemini = GeminiResource(assets_db=PostgresResource(url=installation.assets_db.url), api_key="")
    status = gemini.quota()
    kept = gemini.spend(history_begins(status.quota_day))
    rows = spent_days(status.quota_day, kept, partial(spend_since, gemini.assets_db))
    page = quota_figures(status, rows, (), 0, now)

    assert (page.used, page.reserved, page.remaining, page.cap) == (4, 1, 2, 7)
    assert {name: shown[f"quota_{name}"] for name in ("used", "reserved", "remaining", "cap")} == {
        "used": page.used,
        "reserved": page.reserved,
        "remaining": page.remaining,
        "cap": page.cap,
    }
    assert shown["quota_cap_reached"] is page.cap_reached is False
    assert shown["quota_resets_at"] == page.resets_at.timestamp()
    assert Decimal(str(shown["spent_today_usd"])) == page.spent_usd == Decimal("0.155")
    assert shown["quota_day_pacific"] == page.quota_day.isoformat()
    assert shown["quota_unit"] == "grounded prompts"
    assert [
        (row["day_pacific"], row["requests"], row["grounded"], row["cost_usd"])
        for row in reversed(shown["last_30_days"])
    ] == [
        (day.day.isoformat(), day.requests, day.grounded_requests, float(day.cost_usd))
        for day in page.history
    ]
    assert {(row["model"], row["step"]): row["cost_usd"] for row in shown["today_by_model_and_step"]} == {
        ("gemini-2.5-flash", STEP[1]): 0.15,
        ("gemini-2.5-flash-lite", STEP[1]): 0.005,
    }
    assert [row["cost_usd"] for row in shown["last_30_days"]][:2] == [0.155, 0.75]


def test_the_cap_of_a_pipeline_that_is_switched_off_is_the_stored_one(installation: Graph) -> None:
    installation.settings(enabled=False, daily_grounding_cap=3)
    for _ in range(3):
        event(installation, datetime.now(UTC), "0.01")
    shown = spend(installation)
    assert (shown["quota_cap"], shown["quota_cap_reached"], shown["quota_remaining"]) == (3, True, 0)
    assert "The cap is reached until " in shown["today"]


def test_settings_that_cannot_be_read_show_the_defaults_and_fail_nothing(installation: Graph) -> None:
    with installation.assets_db.connection() as connection:
        connection.execute("update pipeline_settings set settings = '[1]' where platform = 'gemini'")
    assert spend(installation)["quota_cap"] == 1_450


def test_the_asset_writes_nothing_and_makes_no_call(installation: Graph) -> None:
    event(installation, datetime.now(UTC), "0.01")
    spend(installation)
    before = installation.everything()
    spend(installation)
    assert (installation.calls(), installation.everything()) == (0, before)


def test_an_empty_ledger_has_a_day_too(installation: Graph) -> None:
    shown = spend(installation)
    assert (shown["quota_used"], shown["today_by_model_and_step"]) == (0, "none")
    assert len(shown["last_30_days"]) == HISTORY_DAYS
    assert shown["today"] == "0 of 1,450 used, 1,450 left."


def test_the_picture_has_a_column_for_each_day_with_requests(installation: Graph) -> None:
    for back in (0, 3):
        event(installation, datetime.now(UTC) - timedelta(days=back), "0.01")
    shown = spend(installation)
    encoded = shown["last_30_days_picture"].partition("base64,")[2].rstrip(")")
    drawn = ElementTree.fromstring(b64decode(encoded))
    columns = drawn.findall("{http://www.w3.org/2000/svg}path")[0].attrib["d"]
    assert columns.count("M") == 2
    assert "cap 1,450" in [text.text for text in drawn.findall("{http://www.w3.org/2000/svg}text")]


def test_days_are_added_up_over_models_and_no_day_is_missing() -> None:
    first = date(2026, 3, 1)
    rows = [
        SpendDay(first, "a", "b", "one", 2, 1, 3, Decimal("0.1")),
        SpendDay(first, "a", "b", "two", 1, 1, 0, Decimal("0.2")),
        SpendDay(first + timedelta(days=HISTORY_DAYS), "a", "b", "one", 9, 9, 9, Decimal(9)),
    ]
    days = last_days(rows, first + timedelta(days=HISTORY_DAYS - 1))
    assert [day.day for day in days] == [first + timedelta(days=nth) for nth in range(HISTORY_DAYS)]
    assert (days[0].requests, days[0].grounded_requests, days[0].cost_usd) == (3, 2, Decimal("0.3"))
    assert sum(day.requests for day in days) == 3


def test_the_sentence_says_what_holds_it_and_until_when() -> None:
    at = datetime(2026, 11, 21, 8, tzinfo=UTC)
    status = QuotaStatus(
        model="gemini-3.5-flash-lite",
        unit="query",
        quota_day=date(2026, 11, 20),
        used=1_234,
        reserved=8,
        cap=1_245,
        resets_at=at,
        spent_usd=Decimal("1.5"),
        spend_limit_usd=Decimal("10.0"),
        blocked_until=at,
        units_per_request=8,
    )
    assert day_in_words(status) == (
        "1,234 of 1,245 used, 3 left. The cap is reached until 2026-11-21 08:00 UTC. "
        "Google refuses requests until 2026-11-21 08:00 UTC."
    )


def test_it_is_renewed_by_the_hourly_schedule_and_by_no_other() -> None:
    assert dg.AssetKey("gemini_quota") in _assets_of("spend_job")
    assert all(
        dg.AssetKey("gemini_quota") not in _assets_of(job)
        for job in ("intake_job", "enrichment_job", "linking_job")
    )


def _assets_of(job: str) -> set[dg.AssetKey]:
    return set(defs.resolve_job_def(job).asset_layer.asset_graph.executable_asset_keys)
