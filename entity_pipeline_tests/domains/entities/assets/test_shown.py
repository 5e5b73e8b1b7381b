"""What the Dagster UI shows of each asset: its definition, and the tables and pictures of its last result."""

import json
from base64 import b64decode
from collections.abc import Iterator
from xml.etree import ElementTree

import dagster as dg
import pytest

from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.shared.reporting.metadata import rows_table
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, Graph, graph, plain
from entity_pipeline_tests.needs import TABLES

STORED = ["raw_posts", "tagged_usernames", "instagram_accounts", "instagram_profiles", "gemini_reviews"]
STORED += ["catalog_links", "gemini_spend_daily"]


@pytest.fixture
def installation(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    with graph(assets_db, operation_db) as built:
        yield built


def two_cohorts(installation: Graph) -> None:
    installation.post(MONDAY, "prada", "@Timberland", "no such name!", times=2)
    installation.post(MONDAY, "prada", "ungrounded.madeup")
    installation.post(TUESDAY, "garbledreply.madeup", "uniqlo_jp")
    installation.run_all(MONDAY, TUESDAY)


def words(picture: str) -> list[str]:
    """The texts of a picture, in the order they are drawn."""
    svg = b64decode(picture.partition("base64,")[2].rstrip(")"))
    return [
        element.text or ""
        for element in ElementTree.fromstring(svg).findall("{http://www.w3.org/2000/svg}text")
    ]


def test_a_day_of_tags_shows_who_was_tagged_most_and_what_was_refused(installation: Graph) -> None:
    two_cohorts(installation)
    shown = installation.metadata("tagged_usernames", MONDAY)
    assert words(shown["most_tagged_picture"])[1:5] == ["@prada", "3", "@timberland", "2"]
    assert [(row["username"], row["posts"]) for row in shown["most_tagged"]] == [
        ("prada", 3),
        ("timberland", 2),
        ("ungrounded.madeup", 1),
    ]
    assert shown["refused_items"] == [{"reason": "bad_character", "items": 2}]


def test_raw_posts_show_what_was_read_of_them(installation: Graph) -> None:
    two_cohorts(installation)
    (seen,) = installation.observations("raw_posts")
    assert plain(seen.metadata) == {
        "days": f"{MONDAY} to {TUESDAY}",
        "posts_read": 4,
        "posts_with_tags": 4,
        "posts_without_a_day": 0,
    }


def test_profiles_show_the_faces_that_are_public(installation: Graph) -> None:
    two_cohorts(installation)
    shown = installation.metadata("instagram_profiles", MONDAY)
    address = installation.accounts()["prada"]["profile_backfill"]["image"]["url"]
    assert address.startswith("https://")
    assert f"![prada]({address})" in shown["faces"]
    assert {row["username"]: row["outcome"] for row in shown["sample"]}["prada"] == "found"
    assert address not in str(shown["sample"])


def test_profiles_without_a_public_bucket_show_no_face(installation: Graph) -> None:
    two_cohorts(installation)
    with installation.operation_db.connection() as connection:
        connection.execute(
            "update instagram_accounts "
            "set metadata = jsonb_set(metadata, '{entity_enrichment,profile_backfill,image,url}', 'null') "
            "where metadata #> '{entity_enrichment,profile_backfill,image}' is not null"
        )
    installation.run("enrichment_job", MONDAY, None, enrichment_config(0))
    shown = installation.metadata("instagram_profiles", MONDAY)
    assert shown["faces"] == "none with a public address"


def test_reviews_show_their_states_and_the_ledgers_day(installation: Graph) -> None:
    two_cohorts(installation)
    shown = installation.metadata("gemini_reviews", MONDAY)
    assert words(shown["reviews_picture"])[1:] == ["reviewed", "4", "failed", "1"]
    assert {row["status"]: row["accounts"] for row in shown["all_of_the_cohorts"]} == {
        "reviewed": 4,
        "failed": 1,
    }
    assert (shown["quota_used"], shown["quota_cap"], shown["quota_cap_reached"]) == (5, 1_450, False)
    assert {row["username"] for row in shown["sample"]} >= {"prada", "timberland"}


def test_links_show_decisions_and_why_accounts_are_held(installation: Graph) -> None:
    two_cohorts(installation)
    shown = installation.metadata("catalog_links", MONDAY)
    reasons = {row["reason"]: row["accounts"] for row in shown["held_reasons"]}
    drawn = words(shown["decisions_picture"])[1:]
    assert drawn[:4] == ["created", "3", "held", "1"]
    assert reasons
    for reason, accounts in reasons.items():
        name = drawn.index(f"held: {reason.replace('_', ' ')}")
        assert drawn[name + 1] == str(accounts)
    assert all(row["meaning"].endswith(".") for row in shown["held_reasons"])


def test_an_unfinished_cohort_shows_the_same_in_its_observation(installation: Graph) -> None:
    installation.post(MONDAY, "prada", "timberland")
    installation.run("intake_job", MONDAY)
    installation.run("enrichment_job", MONDAY, None, enrichment_config(1))
    (seen,) = installation.observations("gemini_reviews")
    shown = plain(seen.metadata)
    assert (shown["pending"], shown["run_covers"]) == (1, MONDAY.isoformat())
    assert words(shown["reviews_picture"])[1:] == ["pending", "1", "reviewed", "1"]


def test_nothing_secret_and_nothing_of_the_raw_reply_is_shown(installation: Graph) -> None:
    two_cohorts(installation)
    hidden = [installation.assets_db.url, installation.operation_db.url, "usageMetadata", "api_key"]
    for asset in STORED[1:-1]:
        text = json.dumps(installation.metadata(asset, MONDAY), default=str)
        assert [secret for secret in hidden if secret in text] == [], asset


def test_a_table_of_a_result_is_cut_at_the_given_length() -> None:
    rows = [{"day": nth} for nth in range(40)]
    assert [len(rows_table(rows, *most).value.records) for most in ((), (30,))] == [20, 30]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", STORED)
def test_an_asset_names_its_table_and_columns_that_are_there(name: str) -> None:
    node = build_definitions().resolve_asset_graph().get(dg.AssetKey(name))
    database, _, table = node.metadata["dagster/table_name"].split(".")
    assert node.tags["database"] == database
    columns = node.metadata["dagster/column_schema"].columns
    roots = {part.split(".")[0] for column in columns for part in column.name.split(", ")}
    assert roots <= set(TABLES[database][table].columns)
    assert all(column.description and column.type for column in columns)


def test_every_option_of_a_run_is_explained_and_has_a_default() -> None:
    definitions = build_definitions()
    fields = {
        f"{node.key.to_user_string()}.{name}": field
        for node in definitions.resolve_asset_graph().asset_nodes
        if (
            schema := definitions.resolve_assets_def(node.key).node_def.config_schema
            if node.is_executable
            else None
        )
        for name, field in getattr(schema.config_type, "fields", {}).items()
    }
    assert set(fields) == {
        "enrichment_queue.compare",
        "instagram_profiles.limit",
        "gemini_reviews.limit",
        "gemini_reviews.refresh",
        "gemini_reviews.dry_run",
        "gemini_reviews.since",
        "catalog_links.refresh",
        "ai_insights.work",
    }
    assert all(field.description and field.default_provided for field in fields.values())
