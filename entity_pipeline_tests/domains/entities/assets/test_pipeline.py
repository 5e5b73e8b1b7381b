"""The real assets in a real Dagster instance, on real databases, with stand-ins over real sockets."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.domain import entities
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.shared.runs.tags import range_tags
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    WIDE,
    Graph,
    graph,
    plain,
    reasons,
    table,
)
from entity_pipeline_tests.fakes.object_store import FakeObjectStore
from entity_pipeline_tests.standins import GeminiStandin

STAGES = ("tagged_usernames", "instagram_accounts", "instagram_profiles", "gemini_reviews", "catalog_links")
DAYS = {day.isoformat() for day in (MONDAY, TUESDAY, WEDNESDAY)}
# Of the small sample: the missing profile is looked for again before it is believed to be gone.
FINISHED = {
    asset: DAYS - ({MONDAY.isoformat()} if asset == "instagram_profiles" else set()) for asset in STAGES
}


@pytest.fixture
def installation(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    with graph(assets_db, operation_db) as built:
        yield built


def small_sample(installation: Graph) -> None:
    """Six accounts in two cohorts: good ones, a broken reply, one that never parses, and a missing profile."""
    installation.post(MONDAY, "prada", "@Timberland", times=3)
    installation.post(MONDAY, "brokenreply.madeup", "vanished.shop.madeup")
    installation.post(TUESDAY, "prada", "garbledreply.madeup", "uniqlo_jp")


def test_tags_become_reviewed_and_linked_accounts(installation: Graph) -> None:
    small_sample(installation)
    installation.run_all(MONDAY, WEDNESDAY)
    ends = {
        name: (
            value["cohort"],
            value["tagging"]["posts"],
            value["profile_backfill"]["outcome"],
            value["gemini_review"]["status"],
            value.get("catalog_link", {}).get("status"),
        )
        for name, value in installation.accounts().items()
    }
    monday, tuesday = MONDAY.isoformat(), TUESDAY.isoformat()
    assert ends == {
        "prada": (monday, 4, "found", "reviewed", "created"),
        "timberland": (monday, 3, "found", "reviewed", "created"),
        "brokenreply.madeup": (monday, 1, "found", "reviewed", "created"),
        "vanished.shop.madeup": (monday, 1, "not_found", "reviewed", "created"),
        "garbledreply.madeup": (tuesday, 1, "found", "failed", None),
        "uniqlo_jp": (tuesday, 1, "found", "reviewed", "created"),
    }
    assert {asset: installation.green(asset) for asset in STAGES} == FINISHED
    assert installation.observed("instagram_profiles", MONDAY)["pending"] == 1
    assert installation.gemini.requests["grounded"] == 6
    assert len(installation.pictures.objects) == 5
    with installation.operation_db.connection() as connection:
        assert connection.execute("select count(*) from brands").fetchone() == (5,)
        assert connection.execute("select count(*) > 0 from admin_audit_log").fetchone() == (True,)


def test_running_everything_again_writes_no_row_and_makes_no_call(installation: Graph) -> None:
    small_sample(installation)
    installation.run_all(MONDAY, WEDNESDAY)
    before = installation.everything(), installation.calls(), installation.pictures.puts
    installation.run_all(MONDAY, WEDNESDAY)
    for day in (MONDAY, TUESDAY):
        installation.run_all(day)
    assert (installation.everything(), installation.calls(), installation.pictures.puts) == before


def test_days_may_come_in_any_order_and_a_cohort_never_moves(installation: Graph) -> None:
    small_sample(installation)
    for day in (TUESDAY, MONDAY, WEDNESDAY):
        installation.run_all(day)
    prada = installation.accounts()["prada"]
    assert (prada["cohort"], prada["tagging"]["posts"]) == (TUESDAY.isoformat(), 4)
    assert {asset: installation.green(asset) for asset in STAGES} == FINISHED


def test_a_limit_takes_the_most_tagged_and_leaves_its_partitions_open(installation: Graph) -> None:
    small_sample(installation)
    installation.run("intake_job", MONDAY, WEDNESDAY)
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(2))
    reviewed = [name for name, value in installation.accounts().items() if "gemini_review" in value]
    assert reviewed == ["prada", "timberland"]
    assert installation.green("gemini_reviews") == {WEDNESDAY.isoformat()}
    observed = {item.partition: plain(item.metadata) for item in installation.observations("gemini_reviews")}
    assert {day: metadata["pending"] for day, metadata in observed.items()} == {
        MONDAY.isoformat(): 2,
        TUESDAY.isoformat(): 2,
    }
    assert observed[MONDAY.isoformat()]["accounts_done"] == 2
    assert installation.green("instagram_profiles") == {WEDNESDAY.isoformat()}
    assert installation.observed("instagram_profiles", TUESDAY)["pending"] == 2


def test_one_finished_partition_of_a_range_turns_green_alone(installation: Graph) -> None:
    small_sample(installation)
    installation.run("intake_job", MONDAY, WEDNESDAY)
    installation.run("enrichment_job", TUESDAY, None, enrichment_config(10))
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(0))
    assert installation.green("gemini_reviews") == {TUESDAY.isoformat(), WEDNESDAY.isoformat()}
    installation.run("linking_job", MONDAY, WEDNESDAY)
    assert installation.green("catalog_links") == {TUESDAY.isoformat(), WEDNESDAY.isoformat()}


def test_one_unfinished_partition_run_alone_is_observed_and_not_green(installation: Graph) -> None:
    small_sample(installation)
    installation.run("intake_job", MONDAY)
    installation.run("enrichment_job", MONDAY, None, enrichment_config(1))
    assert installation.green("gemini_reviews") == set()
    (seen,) = installation.observations("gemini_reviews")
    assert (seen.partition, plain(seen.metadata)["pending"]) == (MONDAY.isoformat(), 3)
    installation.run("linking_job", MONDAY)
    assert installation.green("catalog_links") == set()
    installation.run("enrichment_job", MONDAY, None, enrichment_config(10))
    installation.run("linking_job", MONDAY)
    assert installation.green("gemini_reviews") == installation.green("catalog_links") == {MONDAY.isoformat()}


def test_a_run_over_both_links_what_is_reviewed_and_leaves_the_unfinished_day_open(
    installation: Graph,
) -> None:
    small_sample(installation)
    installation.settings(daily_grounding_cap=5)
    installation.run("intake_job", MONDAY, WEDNESDAY)
    run = installation.materialize("gemini_reviews", "catalog_links", day=MONDAY, last=WEDNESDAY)
    assert not [event for event in run.all_events if event.is_step_skipped]
    accounts = installation.accounts()
    waiting = [name for name, value in accounts.items() if "gemini_review" not in value]
    reviewed = [
        name for name, value in accounts.items() if value.get("gemini_review", {}).get("status") == "reviewed"
    ]
    assert len(waiting) == 1
    assert reviewed
    assert all("catalog_link" in accounts[name] for name in reviewed)
    finished = DAYS - {accounts[waiting[0]]["cohort"]}
    assert installation.green("gemini_reviews") == installation.green("catalog_links") == finished
    installation.settings(daily_grounding_cap=100)
    installation.materialize("gemini_reviews", "catalog_links", day=MONDAY, last=WEDNESDAY)
    assert installation.green("gemini_reviews") == installation.green("catalog_links") == DAYS


def test_three_chosen_partitions_with_a_gap_finish_and_no_other_is_touched(installation: Graph) -> None:
    chosen = [MONDAY, WEDNESDAY, WEDNESDAY + timedelta(days=2)]
    for day, name in zip([*chosen, TUESDAY], ["prada", "timberland", "uniqlo_jp", "newbalance"], strict=True):
        installation.post(day, name)
    for day in chosen:
        installation.run_all(day)
    keys = {day.isoformat() for day in chosen}
    assert {asset: installation.green(asset) for asset in STAGES} == dict.fromkeys(STAGES, keys)
    assert set(installation.accounts()) == {"prada", "timberland", "uniqlo_jp"}


CLOSED = (
    "The pipeline 'entities' is switched off: run `entity-pipeline settings enable entities` to switch it on."
)


def test_a_closed_gate_fails_intake_with_the_reason(installation: Graph) -> None:
    small_sample(installation)
    installation.settings(enabled=False)
    result = installation.run("intake_job", MONDAY, WEDNESDAY, succeeds=False)
    assert reasons(result) == [CLOSED]
    assert installation.accounts() == {}
    assert installation.green("tagged_usernames") == set()


@pytest.mark.parametrize("asset", STAGES)
def test_each_asset_asks_the_gate_itself_however_it_is_started(installation: Graph, asset: str) -> None:
    small_sample(installation)
    installation.run("intake_job", MONDAY)
    installation.run("enrichment_job", MONDAY, None, enrichment_config(1))
    installation.post(MONDAY, "newbalance")
    installation.settings(enabled=False)
    before = installation.everything(), installation.calls()
    green = installation.green(asset)
    result = installation.materialize(asset, day=MONDAY, succeeds=False)
    assert reasons(result) == [CLOSED]
    assert (installation.everything(), installation.calls(), installation.green(asset)) == (*before, green)


def test_a_run_that_begins_with_a_closed_gate_fails_and_turns_no_partition_green(installation: Graph) -> None:
    small_sample(installation)
    installation.run("intake_job", MONDAY, WEDNESDAY)
    installation.settings(enabled=False)
    for job, config in (
        ("enrichment_job", enrichment_config(10)),
        ("enrichment_job", enrichment_config(10, dry_run=True)),
        ("linking_job", {}),
    ):
        result = installation.run(job, MONDAY, WEDNESDAY, config, succeeds=False)
        assert reasons(result) == [CLOSED]
    assert installation.calls() == 0
    assert {asset: installation.green(asset) for asset in STAGES[2:]} == {
        asset: set() for asset in STAGES[2:]
    }


def test_a_gate_that_closes_during_a_run_leaves_what_waits_open_and_says_why(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with graph(assets_db, operation_db) as installation:
        small_sample(installation)
        installation.run("intake_job", MONDAY, WEDNESDAY)
        with assets_db.connection() as connection:
            connection.execute(
                "create function switch_off() returns trigger language plpgsql as $$ begin "
                "update pipeline_settings set is_enabled = false where platform = 'entity_enrichment'; "
                "return new; end $$"
            )
            connection.execute(
                "create trigger switch_off after insert on instagram_request_log "
                "for each statement execute function switch_off()"
            )
        result = installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(10), succeeds=False)
        assert reasons(result) == [CLOSED]
        assert installation.green("instagram_profiles") == {WEDNESDAY.isoformat()}
        assert installation.observed("instagram_profiles", TUESDAY)["held_because"] == CLOSED
        assert installation.green("gemini_reviews") == set()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"daily_grounding_cap": "many"},
            "'gemini' can't be used: 'daily_grounding_cap' is \"many\" and must be a whole number",
        ),
        ({"capp": 1}, "'entity_enrichment' can't be used: 'capp' is not a known setting"),
    ],
)
def test_settings_that_cannot_be_used_hold_everything_and_say_why(
    installation: Graph, settings: dict[str, Any], sentence: str
) -> None:
    installation.post(MONDAY, "prada")
    installation.settings(**settings)
    (reason,) = reasons(installation.run("intake_job", MONDAY, succeeds=False))
    assert reason == f"The settings of {sentence}."


def test_the_cap_is_reached_exactly_in_the_middle_and_the_rest_waits(installation: Graph) -> None:
    small_sample(installation)
    installation.settings(daily_grounding_cap=4, concurrency=8)
    installation.run("intake_job", MONDAY, WEDNESDAY)
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(100))
    assert installation.gemini.requests["grounded"] == 4
    observed = plain(installation.observations("gemini_reviews")[0].metadata)
    assert (observed["accounts_pending"], observed["quota_remaining"]) == (2, 0)
    assert observed["held_because"].startswith("The cap of 4 ")
    checks = checks_of(installation, "gemini_reviews")
    assert checks["cap_is_not_near"] is False
    installation.settings(daily_grounding_cap=100)
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(100))
    assert installation.gemini.requests["grounded"] == 6
    assert installation.green("gemini_reviews") == DAYS
    assert checks_of(installation, "gemini_reviews")["cap_is_not_near"] is True


def checks_of(installation: Graph, asset: str) -> dict[str, bool]:
    """The newest result of every check of the asset."""
    found: dict[str, bool] = {}
    for run in installation.instance.get_runs():
        for event in installation.instance.all_logs(run.run_id):
            dagster_event = event.dagster_event
            if dagster_event is None or dagster_event.event_type_value != "ASSET_CHECK_EVALUATION":
                continue
            evaluation: Any = dagster_event.event_specific_data
            if evaluation.asset_key == dg.AssetKey(asset):
                found.setdefault(evaluation.check_name, evaluation.passed)
    return found


def test_a_dry_run_counts_and_pays_nothing(installation: Graph) -> None:
    small_sample(installation)
    installation.run("intake_job", MONDAY, WEDNESDAY)
    before = installation.everything()
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(4, dry_run=True))
    assert plain(installation.observations("gemini_reviews")[0].metadata)["would_be_asked"] == 4
    assert (installation.calls(), installation.everything()) == (0, before)


def test_a_dry_run_of_a_refresh_counts_what_changed_since(installation: Graph) -> None:
    small_sample(installation)
    installation.run_all(MONDAY, WEDNESDAY)
    calls = installation.calls()

    def would_be_asked(refresh: str) -> int:
        config = enrichment_config(100, refresh=refresh, dry_run=True)
        installation.run("enrichment_job", MONDAY, WEDNESDAY, config)
        return installation.metadata("gemini_reviews", MONDAY)["would_be_asked"]

    assert {refresh: would_be_asked(refresh) for refresh in ("none", "stale", "all")} == {
        "none": 0,
        "stale": 0,
        "all": 6,
    }
    with installation.operation_db.connection() as connection:
        connection.execute("update instagram_accounts set bio = 'another' where username = 'prada'")
    assert would_be_asked("stale") == 1
    assert installation.calls() == calls


def test_a_refresh_asks_again_and_the_decision_follows(installation: Graph) -> None:
    installation.post(MONDAY, "prada", "timberland")
    installation.run_all(MONDAY)
    installation.run("enrichment_job", MONDAY, None, enrichment_config(100, refresh="all"))
    assert installation.gemini.requests["grounded"] == 4
    assert installation.green("gemini_reviews") == {MONDAY.isoformat()}
    before = installation.accounts()["prada"]["catalog_link"]
    installation.run("linking_job", MONDAY)
    after = installation.accounts()["prada"]["catalog_link"]
    assert after["entity_id"] == before["entity_id"]
    assert after["reviewed_at"] == installation.accounts()["prada"]["gemini_review"]["reviewed_at"]


def test_a_reply_of_another_model_fails_the_blocking_check_and_no_account(installation: Graph) -> None:
    installation.gemini.successors[DEFAULT_MODEL] = "gemini-3.6-flash"
    installation.post(MONDAY, "prada", "timberland", times=2)
    installation.post(MONDAY, "prada")
    installation.settings(concurrency=1)
    installation.run("intake_job", MONDAY)
    for _ in range(2):
        result = installation.run("enrichment_job", MONDAY, None, enrichment_config(10), succeeds=False)
        (check,) = [
            check
            for check in result.get_asset_check_evaluations()
            if check.check_name == "model_is_the_one_asked_for"
        ]
        assert (check.passed, check.blocking) == (False, True)
        assert plain(check.metadata) == {"asked_for": DEFAULT_MODEL, "answered_by": "gemini-3.6-flash"}
    assert installation.gemini.requests["total"] == 1
    assert installation.green("gemini_reviews") == set()
    assert all("gemini_review" not in account for account in installation.accounts().values())


def test_many_reviews_without_sources_are_warned_of_and_stop_nothing(installation: Graph) -> None:
    installation.post(MONDAY, "prada", "ungrounded.madeup")
    installation.run_all(MONDAY)
    assert checks_of(installation, "gemini_reviews") == {
        "model_is_the_one_asked_for": True,
        "few_reviews_are_ungrounded": False,
        "cap_is_not_near": True,
    }
    assert installation.accounts()["ungrounded.madeup"]["catalog_link"]["status"] == "held"
    assert installation.green("catalog_links") == {MONDAY.isoformat()}


def test_a_key_that_gemini_refuses_stops_the_run_with_a_sentence(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with GeminiStandin(latency_ms=0) as standin:
        bad = GeminiResource(
            assets_db=PostgresResource(url=assets_db.url), api_key="invalid", base_url=standin.url
        )
        with graph(assets_db, operation_db, gemini=bad) as installation:
            small_sample(installation)
            installation.settings(concurrency=1)
            installation.run("intake_job", MONDAY)
            result = installation.run("enrichment_job", MONDAY, None, enrichment_config(10), succeeds=False)
            (reason,) = reasons(result)
            assert "Gemini refuses every request" in reason
            assert "check GEMINI_API_KEY" in reason
            assert standin.requests["by_status"] == {"400": 1}
            assert installation.observed("instagram_profiles", MONDAY)["profiles_looked_at"] == 4


def test_profiles_that_are_switched_off_do_not_hold_the_reviews(installation: Graph) -> None:
    small_sample(installation)
    installation.settings(instagram_backfill_enabled=False)
    installation.run_all(MONDAY, TUESDAY)
    assert installation.instagram.requests["total"] == 0
    assert "is switched off" in installation.metadata("instagram_profiles", MONDAY)["held_because"]
    for asset in ("instagram_profiles", "catalog_links"):
        assert installation.green(asset) == {MONDAY.isoformat(), TUESDAY.isoformat()}


@pytest.mark.parametrize("why", ["the windows are full", "a shared switch"])
def test_postponed_profiles_keep_their_days_open_and_the_reviews_and_links_go_on(
    installation: Graph, why: str
) -> None:
    small_sample(installation)
    if why == "a shared switch":
        with installation.assets_db.connection() as connection:
            connection.execute("update pipeline_settings set is_enabled = false where platform = 'instagram'")
    else:
        installation.settings(instagram_windows={**WIDE, "per_day": 1})
    installation.run("intake_job", MONDAY, WEDNESDAY)
    run = installation.materialize(*STAGES[2:], day=MONDAY, last=WEDNESDAY)
    assert not [event for event in run.all_events if event.is_step_skipped]
    assert installation.green("instagram_profiles") == {WEDNESDAY.isoformat()}
    seen = installation.observed("instagram_profiles", TUESDAY)
    assert seen["pending"] == 2
    assert seen["held_because"] != "nothing"
    assert installation.green("catalog_links") == DAYS
    installation.settings()
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(10))
    assert installation.green("instagram_profiles") == FINISHED["instagram_profiles"]


def test_an_unreachable_instagram_and_an_unreachable_store_do_not_hold_the_reviews(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    broken = FakeObjectStore(*[ConfigurationFailure("No such bucket.")] * 10)
    with graph(assets_db, operation_db, r2=broken) as installation:
        small_sample(installation)
        installation.run("intake_job", MONDAY, TUESDAY)
        installation.run("enrichment_job", MONDAY, None, enrichment_config(10))
        metadata = installation.observed("instagram_profiles", MONDAY)
        assert table(metadata, "pictures") == {"not_stored:No such bucket.": 1, "left_out:storage_is_down": 2}
        assert metadata["pictures_held_because"] == "No such bucket."
        installation.instagram.close()
        installation.run("enrichment_job", TUESDAY, None, enrichment_config(10))
        assert installation.green("gemini_reviews") == {MONDAY.isoformat(), TUESDAY.isoformat()}


def test_accounts_older_than_the_pipeline_join_the_day_they_were_created_on(installation: Graph) -> None:
    with installation.operation_db.connection() as connection:
        connection.execute(
            "insert into instagram_accounts (username, metadata, created_at) values "
            "('@Prada', '{\"note\": 1}', %s), ('timberland', null, '2019-01-01'), ('odd', '[1]', %s)",
            [MONDAY, MONDAY],
        )
    installation.run_all(MONDAY)
    with installation.operation_db.connection() as connection:
        rows = dict(connection.execute("select username, metadata from instagram_accounts").fetchall())
    assert rows["@Prada"]["note"] == 1
    assert rows["@Prada"]["entity_enrichment"]["cohort"] == MONDAY.isoformat()
    assert rows["@Prada"]["entity_enrichment"]["catalog_link"]["status"] == "created"
    assert (rows["timberland"], rows["odd"]) == (None, [1])
    assert installation.green("catalog_links") == {MONDAY.isoformat()}
    assert installation.gemini.requests["grounded"] == 1


def test_a_decision_left_by_older_rules_breaks_no_report(installation: Graph) -> None:
    installation.post(MONDAY, "ungrounded.madeup")
    installation.run_all(MONDAY)
    with installation.operation_db.connection() as connection:
        connection.execute(
            "update instagram_accounts set metadata = jsonb_set(metadata, "
            "'{entity_enrichment,catalog_link,reasons}', '[\"a_reason_of_before\"]')"
        )
    installation.run("linking_job", MONDAY)
    held = installation.metadata("catalog_links", MONDAY)["held_reasons"]
    assert held == [{"reason": "a_reason_of_before", "accounts": 1, "meaning": "not known to these rules"}]


def test_a_review_that_a_person_spoiled_is_held_and_asked_for_no_further(installation: Graph) -> None:
    installation.post(MONDAY, "prada")
    installation.run("intake_job", MONDAY)
    installation.run("enrichment_job", MONDAY, None, enrichment_config(1))
    with installation.operation_db.connection() as connection:
        connection.execute(
            "update instagram_accounts set metadata = jsonb_set(metadata, "
            "'{entity_enrichment,gemini_review,review}', '\"gone\"')"
        )
    installation.run("linking_job", MONDAY)
    link = installation.accounts()["prada"]["catalog_link"]
    assert (link["status"], link["reasons"]) == ("held", ["not_reviewed"])
    assert installation.green("catalog_links") == {MONDAY.isoformat()}


def test_the_ledger_is_rolled_up(installation: Graph) -> None:
    installation.post(MONDAY, "prada", "brokenreply.madeup")
    installation.run_all(MONDAY)
    spend = installation.definitions.resolve_job_def("spend_job")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    for changed in (1, 0):
        result = spend.execute_in_process(instance=installation.instance, run_config=quiet)
        metadata = plain(result.asset_materializations_for_node("gemini_spend_daily")[0].metadata)
        assert metadata["rows_changed"] == changed
        assert metadata["grounded_requests_in_period"] == 2
    with installation.assets_db.connection() as connection:
        row = connection.execute("select requests, grounded_requests from gemini_spend_daily").fetchone()
    assert row == (3, 2)


def test_a_missing_column_fails_the_blocking_schema_check(installation: Graph) -> None:
    small_sample(installation)
    with installation.operation_db.connection() as connection:
        connection.execute("alter table brands drop column country_of_origin")
    result = installation.run("intake_job", MONDAY, succeeds=False)
    (check,) = [
        check
        for check in result.get_asset_check_evaluations()
        if check.check_name == "databases_have_the_schema"
    ]
    assert not check.passed
    assert "country_of_origin" in plain(check.metadata)["problems"]
    assert installation.accounts() == {}


DESIGNED = {*STAGES, "raw_posts", "enrichment_queue", "gemini_spend_daily", "gemini_quota"}


def test_the_graph_has_exactly_the_assets_of_the_design() -> None:
    asset_graph = build_definitions(domains=[entities]).resolve_asset_graph()
    assert {key.to_user_string() for key in asset_graph.get_all_asset_keys()} == DESIGNED
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in asset_graph.get(key).parent_keys}
        for key in asset_graph.get_all_asset_keys()
    }
    assert parents == {
        "raw_posts": set(),
        "tagged_usernames": {"raw_posts"},
        "instagram_accounts": {"tagged_usernames"},
        "instagram_profiles": {"instagram_accounts"},
        "gemini_reviews": {"instagram_profiles"},
        "catalog_links": {"gemini_reviews"},
        "enrichment_queue": {"instagram_accounts", "instagram_profiles", "gemini_reviews", "catalog_links"},
        "gemini_spend_daily": {"gemini_reviews"},
        "gemini_quota": {"gemini_spend_daily"},
    }


def test_every_asset_that_runs_says_when_it_is_stale(installation: Graph) -> None:
    graph_of_assets = installation.definitions.resolve_asset_graph()
    keys = [dg.AssetKey(name) for name in (*STAGES, "enrichment_queue")]
    policies = {key.to_user_string(): graph_of_assets.get(key).freshness_policy for key in keys}
    assert None not in policies.values(), policies


def test_a_check_has_no_partition_in_a_run_over_a_range_of_days() -> None:
    """Why no check here has partitions; see docs/decisions/0018."""
    days = dg.DailyPartitionsDefinition("2026-11-01")

    @dg.asset(partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
    def reviews() -> None: ...

    @dg.asset_check(asset=reviews, partitions_def=days)
    def is_fine() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    job = dg.Definitions([reviews], asset_checks=[is_fine]).resolve_implicit_global_asset_job_def()
    found = []
    with dg.DagsterInstance.ephemeral() as instance:
        for how in ({"partition_key": "2026-11-02"}, {"tags": range_tags("2026-11-02", "2026-11-04")}):
            result = job.execute_in_process(instance=instance, **how)  # type: ignore[arg-type]
            found.append([check.partition for check in result.get_asset_check_evaluations()])
    assert found == [["2026-11-02"], [None]]


@pytest.mark.parametrize("name", sorted(DESIGNED))
def test_every_asset_names_its_owner_and_its_kind(name: str) -> None:
    node = build_definitions(domains=[entities]).resolve_asset_graph().get(dg.AssetKey(name))
    assert node.owners
    assert node.kinds
    assert node.group_name == ("gemini" if name in ("gemini_spend_daily", "gemini_quota") else "entities")
    assert len(node.description or "") > 80
    partitioned = name in STAGES
    assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition) is partitioned
    assert (node.backfill_policy == dg.BackfillPolicy.single_run()) is partitioned


def test_every_sensor_and_schedule_is_there_and_running() -> None:
    repository = build_definitions(domains=[entities]).get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "new_posts_sensor",
        "catalog_links_sensor",
        "changed_accounts_sensor",
        "unfinished_runs_sensor",
        "switch_off_sensor",
        "alerts_sensor",
    }
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "enrichment_queue_schedule",
        "enrichment_schedule",
        "spend_schedule",
    }
    running = {dg.DefaultSensorStatus.RUNNING, dg.DefaultScheduleStatus.RUNNING}
    started = [*repository.sensor_defs, *repository.schedule_defs]
    assert all(item.default_status in running for item in started)


def test_a_missing_variable_is_named_where_it_is_missed(installation: Graph) -> None:
    with pytest.raises(ConfigurationFailure, match="GEMINI_API_KEY is not set"):
        GeminiResource(assets_db=PostgresResource(url=installation.assets_db.url), api_key="")._connected()


def test_partitions_are_the_days_from_the_first_to_today() -> None:
    definition = build_definitions().resolve_asset_graph().get(dg.AssetKey("gemini_reviews")).partitions_def
    assert definition is not None
    before = last_day(datetime.now(UTC))
    keys = definition.get_partition_keys()
    assert keys[0] == FIRST_DAY.isoformat()
    assert before <= date.fromisoformat(keys[-1]) <= last_day(datetime.now(UTC))
