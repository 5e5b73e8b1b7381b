"""The row of `pipeline_settings` on a real PostgreSQL."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import DatabaseUnavailable, InputRejected
from entity_pipeline.core.settings import PLATFORM, Closed, Open
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.sandbox.processes import free_port
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]


@pytest.fixture
def store(assets_db: ClonedDatabase) -> SettingsStore:
    return SettingsStore(assets_db=PostgresResource(url=assets_db.url))


def stored(assets: Connection) -> list[tuple[Any, ...]]:
    return assets.execute(
        "select platform, is_enabled, settings, updated_by from pipeline_settings order by 1"
    ).fetchall()


def test_a_new_installation_is_switched_off(store: SettingsStore) -> None:
    state = store.gate()
    assert isinstance(state, Closed)
    assert state.reason.startswith("The pipeline is switched off")


def test_a_missing_row_closes_the_gate_and_switching_creates_it(
    store: SettingsStore, assets: Connection
) -> None:
    assets.execute("delete from pipeline_settings")
    assert store.row() is None
    state = store.gate()
    assert isinstance(state, Closed)
    assert "has no row for platform 'entity_enrichment'" in state.reason
    store.switch(True, "cli:mina")
    assert isinstance(store.gate(), Open)
    assert stored(assets) == [(PLATFORM, True, {}, "cli:mina")]


@pytest.mark.parametrize("is_enabled", [True, False])
def test_switching_keeps_the_settings_and_notes_who_and_when(
    store: SettingsStore, assets: Connection, is_enabled: bool
) -> None:
    store.change(lambda current: {**current, "concurrency": 3}, "cli:mina")
    assets.execute("update pipeline_settings set updated_at = '2026-01-01Z'")
    store.switch(is_enabled, "admin:jun")
    row = store.row()
    assert row is not None
    assert (row.is_enabled, row.settings, row.updated_by) == (is_enabled, {"concurrency": 3}, "admin:jun")
    assert row.updated_at is not None
    assert abs(datetime.now(UTC) - row.updated_at) < timedelta(seconds=10)


def test_a_change_is_kept_with_who_and_when_and_the_switch_stays(
    store: SettingsStore, assets: Connection
) -> None:
    store.switch(True, "cli:mina")
    assets.execute("update pipeline_settings set updated_at = '2026-01-01Z'")
    returned = store.change(lambda current: {**current, "notify": {"to": "a\x00b"}}, "admin:jun")
    assert returned == {"notify": {"to": "a\x00b"}}
    row = store.row()
    assert row is not None
    assert row.settings == {"notify": {"to": "a\N{REPLACEMENT CHARACTER}b"}}
    assert (row.is_enabled, row.updated_by) == (True, "admin:jun")
    assert row.updated_at is not None
    assert abs(datetime.now(UTC) - row.updated_at) < timedelta(seconds=10)


def test_a_change_creates_a_missing_row_switched_off(store: SettingsStore, assets: Connection) -> None:
    assets.execute("delete from pipeline_settings")
    store.change(lambda current: {**current, "concurrency": 2}, "cli:mina")
    assert stored(assets) == [(PLATFORM, False, {"concurrency": 2}, "cli:mina")]


@pytest.mark.parametrize("row_is_there", [True, False])
def test_a_rejected_change_leaves_everything_as_it_is(
    store: SettingsStore, assets: Connection, row_is_there: bool
) -> None:
    if not row_is_there:
        assets.execute("delete from pipeline_settings")
    before = assets.execute("select * from pipeline_settings").fetchall()

    def reject(_: Any) -> dict[str, Any]:
        raise InputRejected("Nothing was changed.")

    with pytest.raises(InputRejected):
        store.change(reject, "cli:mina")
    assert assets.execute("select * from pipeline_settings").fetchall() == before


def test_changes_at_the_same_time_lose_nothing(store: SettingsStore, assets: Connection) -> None:
    def count_up(current: Any) -> dict[str, Any]:
        time.sleep(0.005)  # long enough for another change to come in between
        return {**current, "notify": {"count": current.get("notify", {}).get("count", 0) + 1}}

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda nth: store.change(count_up, f"cli:{nth}"), range(24)))
    assert stored(assets)[0][2] == {"notify": {"count": 24}}


def test_first_changes_at_the_same_time_lose_nothing(store: SettingsStore, assets: Connection) -> None:
    assets.execute("delete from pipeline_settings")
    names = ["concurrency", "accounts_per_tick", "requests_per_minute", "daily_grounding_cap"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: store.change(lambda current: {**current, name: 5}, "cli"), names))
    assert stored(assets)[0][2] == dict.fromkeys(names, 5)


def test_rows_of_other_pipelines_are_neither_read_nor_changed(
    store: SettingsStore, assets: Connection
) -> None:
    assets.execute("delete from pipeline_settings")
    assets.execute("insert into pipeline_settings (platform, is_enabled) values ('captions', true)")
    assert store.row() is None
    store.switch(False, "cli:mina")
    store.change(lambda current: {**current, "concurrency": 2}, "cli:mina")
    assert stored(assets)[0] == ("captions", True, {}, None)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("[]", "the value is [] and must be a JSON object."),
        ('"text"', 'the value is "text" and must be a JSON object.'),
        ('{"daily_grounding_cap": 1200.0}', "'daily_grounding_cap' is 1200.0 and must be a whole number."),
    ],
)
def test_what_a_person_wrote_by_hand_in_sql_is_judged_as_it_stands(
    store: SettingsStore, assets: Connection, settings: str, sentence: str
) -> None:
    assets.execute("update pipeline_settings set is_enabled = true, settings = %s::jsonb", [settings])
    state = store.gate()
    assert isinstance(state, Closed)
    assert state.reason.endswith(sentence)


def test_an_empty_json_value_means_the_defaults(store: SettingsStore, assets: Connection) -> None:
    assets.execute("update pipeline_settings set is_enabled = true, settings = 'null'")
    assert isinstance(store.gate(), Open)


def test_a_database_that_is_away_is_no_answer() -> None:
    store = SettingsStore(
        assets_db=PostgresResource(url=f"postgresql://nobody@127.0.0.1:{free_port()}/assets")
    )
    with pytest.raises(DatabaseUnavailable):
        store.gate()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('{"daily_grounding_cap": 1e5000}', "'daily_grounding_cap' is Infinity and must be a whole number"),
        ('{"daily_grounding_cap": 1e308}', "and must be at most 1,000,000"),
        ('{"daily_grounding_cap": -1}', "'daily_grounding_cap' is -1 and must be at least 0"),
        ('{"daily_grounding_cap": 1450.5}', "must be a whole number"),
        ('{"daily_spend_usd": 1e400}', "and must be a number"),
        ('{"instagram_backfill_enabled": "true"}', "must be true or false"),
        ('{"concurrency": "8"}', "must be a whole number"),
        ('{"thresholds": {"brand": 2}}', "must be at most 1"),
        ('{"instagram_windows": {"jitter_s": [5, 2]}}', "must have its smaller number first"),
        ('{"daily_cap": 5}', "'daily_cap' is not a known setting"),
        ('{"concurrency": DEEP}', "'concurrency' is [[[["),
        ("DEEP", "the value is [[[["),
        ("[1]", "the value is [1] and must be a JSON object"),
        ('"on"', "must be a JSON object"),
    ],
)
def test_a_row_of_nonsense_closes_the_gate_and_says_what_is_wrong(
    store: SettingsStore, assets: Connection, settings: str, says: str
) -> None:
    text = settings.replace("DEEP", "[" * 3_000 + "]" * 3_000)
    assets.execute("update pipeline_settings set is_enabled = true, settings = %s::jsonb", [text])
    state = store.gate()
    assert isinstance(state, Closed)
    assert says in state.reason
    assert len(state.reason) < 500


def test_a_number_beyond_measure_that_concerns_nobody_does_no_harm(
    store: SettingsStore, assets: Connection
) -> None:
    assets.execute('update pipeline_settings set is_enabled = true, settings = \'{"notify": {"x": 1e5000}}\'')
    assert isinstance(store.gate(), Open)
    assert store.change(lambda current: {**current, "concurrency": 3}, "cli:mina")["concurrency"] == 3
    assert isinstance(store.gate(), Open)
