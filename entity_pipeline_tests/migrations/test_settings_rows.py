"""The migration that gives shared settings rows of their own, on installations of the release before it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.settings import Closed, Open, SettingsRow, gate, parse
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.migrations.files import files_of
from entity_pipeline_tests.databases import ClonedDatabase

[FILE] = [file for file in files_of("assets") if file.name.endswith("_settings_shared_rows.sql")]
UP = FILE.sql
PERSON = "00000000-0000-4000-8000-000000000007"
FULL = {
    "daily_grounding_cap": 50,
    "requests_per_minute": 20,
    "daily_spend_usd": 1.5,
    "concurrency": 2,
    "thresholds": {"brand": 0.9},
    "instagram_backfill_enabled": True,
    "instagram_terms_acknowledged": True,
    "instagram_windows": {"per_hour": 9},
    "notify": {"backlog_hours": 48, "webhook": "https://a.example"},
}

Connection = psycopg.Connection[Any]


@pytest.fixture
def before(assets_db: ClonedDatabase) -> Iterator[Connection]:
    """An assets database as the previous release left it."""
    with assets_db.connection() as connection:
        connection.execute("delete from pipeline_settings")
        connection.execute("insert into pipeline_settings (platform) values ('entity_enrichment')")
        connection.execute(
            "insert into pipeline_settings values ('pinterest', true, '{\"depth\": 3}', '2026-01-01', 'them')"
        )
        yield connection


def put(connection: Connection, settings: Any, *, on: bool | None = True, who: str = "cli:mina") -> None:
    connection.execute(
        "update pipeline_settings set is_enabled = %s, settings = %s, updated_by = %s "
        "where platform = 'entity_enrichment'",
        [on, Jsonb(settings), who],
    )


def migrated(connection: Connection) -> dict[str, tuple[Any, ...]]:
    """Switch, settings and author by row."""
    with connection.transaction():
        connection.execute(UP.encode())
    rows = connection.execute(
        "select platform, is_enabled, settings, updated_by::text from pipeline_settings"
    ).fetchall()
    return {row: values for row, *values in rows}  # type: ignore[misc]


def entities_gate(rows: dict[str, Any]) -> Open[EntitySettings] | Closed:
    return gate(EntitySettings, {name: SettingsRow(on, settings) for name, (on, settings, _) in rows.items()})


def test_every_value_moves_to_its_row_and_none_is_lost(before: Connection) -> None:
    put(before, FULL)
    rows = migrated(before)
    assert rows == {
        "entity_enrichment": [
            True,
            {
                "concurrency": 2,
                "thresholds": {"brand": 0.9},
                "instagram_backfill_enabled": True,
                "shared_rows": True,
            },
            "cli:mina",
        ],
        "gemini": [
            True,
            {"daily_grounding_cap": 50, "requests_per_minute": 20, "daily_spend_usd": 1.5},
            "cli:mina",
        ],
        "instagram": [True, {"terms_acknowledged": True, "windows": {"per_hour": 9}}, "cli:mina"],
        "notify": [True, {"backlog_hours": 48, "webhook": "https://a.example"}, "cli:mina"],
        "pinterest": [True, {"depth": 3}, "them"],
    }
    assert isinstance(entities_gate(rows), Open)
    assert migrated(before) == rows


def test_a_row_that_was_never_touched_stays_as_it_is(before: Connection) -> None:
    rows = migrated(before)
    assert rows["entity_enrichment"] == [False, {}, None]
    assert {name: rows[name] for name in ("gemini", "instagram", "notify")} == {
        name: [True, {}, "migration"] for name in ("gemini", "instagram", "notify")
    }


@pytest.mark.parametrize("settings", [{"daily_grounding_cap": "many"}, {"daily_grounding_cap": None}])
def test_a_bad_value_still_closes_the_gate_in_its_new_row(before: Connection, settings: Any) -> None:
    put(before, settings)
    state = entities_gate(migrated(before))
    assert isinstance(state, Closed)
    assert str(state.reason).startswith("The settings of 'gemini' can't be used: 'daily_grounding_cap' is ")


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"typo": 1, "daily_spend_usd": 2}, {"typo": 1, "shared_rows": True}),
        ({"notify": "me"}, {"notify": "me", "shared_rows": True}),
        ([1], [1]),
        ("text", "text"),
    ],
)
def test_an_unknown_key_stays_and_closes_the_gate(before: Connection, settings: Any, kept: Any) -> None:
    put(before, settings)
    rows = migrated(before)
    assert rows["entity_enrichment"][1] == kept
    assert isinstance(entities_gate(rows), Closed)
    assert migrated(before) == rows


def test_a_process_of_the_release_before_finds_a_key_that_it_refuses(before: Connection) -> None:
    """It knows only these keys, and must not work under a default cap instead of 50."""
    put(before, {"daily_grounding_cap": 50})
    known = {*FULL, "accounts_per_tick", "evidence_level", "calibration"}
    assert set(migrated(before)["entity_enrichment"][1]) - known == {"shared_rows"}


def test_a_row_of_that_name_keeps_its_switch_and_its_values(before: Connection) -> None:
    before.execute(
        "insert into pipeline_settings values "
        "('gemini', false, '{\"daily_grounding_cap\": 70, \"theirs\": 1}', '2026-01-01', 'them')"
    )
    put(before, {"daily_grounding_cap": 50, "requests_per_minute": 20})
    rows = migrated(before)
    assert rows["gemini"] == [
        False,
        {"daily_grounding_cap": 70, "requests_per_minute": 20, "theirs": 1},
        "them",
    ]
    assert rows["entity_enrichment"][1] == {"daily_grounding_cap": 50, "shared_rows": True}
    state = entities_gate(rows)
    assert isinstance(state, Closed)
    assert "'daily_grounding_cap' is now 'gemini daily_grounding_cap'" in str(state.reason)
    assert migrated(before) == rows


def test_a_row_that_a_person_made_before_migrating_gains_what_it_lacks(before: Connection) -> None:
    before.execute(
        "insert into pipeline_settings (platform, is_enabled, settings) values ('gemini', true, '{}')"
    )
    put(before, {"daily_grounding_cap": 50})
    rows = migrated(before)
    assert parse(GeminiSettings, rows["gemini"][1]).daily_grounding_cap == 50
    assert rows["entity_enrichment"][1] == {"shared_rows": True}


def test_authors_may_be_uuids_and_settings_may_be_empty(before: Connection) -> None:
    before.execute("update pipeline_settings set updated_by = null")
    before.execute(
        "alter table pipeline_settings alter column updated_by type uuid using updated_by::uuid, "
        "alter column settings drop not null, alter column updated_at drop not null, "
        "alter column is_enabled drop not null"
    )
    put(before, {"daily_grounding_cap": 50}, who=PERSON)
    rows = migrated(before)
    assert rows["gemini"] == [True, {"daily_grounding_cap": 50}, PERSON]
    assert rows["notify"] == [True, {}, None]
    before.execute("delete from pipeline_settings where platform in ('gemini', 'instagram', 'notify')")
    before.execute(
        "update pipeline_settings set settings = null, is_enabled = true where platform = 'entity_enrichment'"
    )
    rows = migrated(before)
    assert rows["entity_enrichment"][:2] == [True, {"shared_rows": True}]
    assert isinstance(entities_gate(rows), Open)


def test_without_our_row_the_shared_ones_are_made(before: Connection) -> None:
    before.execute("delete from pipeline_settings where platform = 'entity_enrichment'")
    rows = migrated(before)
    assert set(rows) == {"gemini", "instagram", "notify", "pinterest"}
