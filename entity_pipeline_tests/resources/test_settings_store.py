"""The rows of `pipeline_settings` on a real PostgreSQL: gates, changes, and their trail in the audit log."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.audit import COMMAND_ACTOR, PAGE_ACTOR, Actor
from entity_pipeline.core.failures import DatabaseUnavailable, InputRejected
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import Closed, Open, SettingsModel, SettingsRow
from entity_pipeline.core.settings_change import Assignment, NewRow, StaleSettings, edit_of
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.sandbox.processes import free_port
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]

MINA, JUN = Actor(COMMAND_ACTOR, "cli", "mina"), Actor(PAGE_ACTOR, "page", "jun")
OURS = "platform = 'entity_enrichment'"


@pytest.fixture
def store(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> SettingsStore:
    return SettingsStore(
        assets_db=PostgresResource(url=assets_db.url), operation_db=PostgresResource(url=operation_db.url)
    )


def change(
    store: SettingsStore,
    values: dict[str, Any] | None = None,
    *,
    model: type[SettingsModel] = EntitySettings,
    on: bool | None = None,
    who: Actor = MINA,
) -> SettingsRow:
    """A change of a row as it is now."""
    row = store.row(model)
    assignments = [Assignment(tuple(path.split(".")), value) for path, value in (values or {}).items()]
    return store.change(
        model, edit_of(model, assignments, is_enabled=on), who, row.updated_at if row is not None else None
    )


def stored(assets: Connection, where: str = OURS) -> list[tuple[Any, ...]]:
    return assets.execute(
        f"select platform, is_enabled, settings, updated_by from pipeline_settings where {where} order by 1"  # type: ignore[arg-type]
    ).fetchall()


def trail(operation: Connection) -> list[tuple[Any, ...]]:
    return operation.execute(
        "select admin_user_id, action, target_table, before_state, after_state, metadata from admin_audit_log "
        "order by created_at"
    ).fetchall()


def said(store: SettingsStore, model: type[SettingsModel] = EntitySettings) -> str:
    state = store.gate(model)
    assert isinstance(state, Closed)
    return str(state.reason)


def test_a_new_installation_is_switched_off_and_its_shared_rows_are_on(
    store: SettingsStore, assets: Connection
) -> None:
    assert said(store).startswith("The pipeline 'entities' is switched off")
    assert stored(assets, "true") == [
        ("entity_enrichment", False, {}, "migration"),
        ("gemini", True, {}, "migration"),
        ("influencers", False, {}, "migration"),
        ("instagram", True, {}, "migration"),
        ("notify", True, {}, "migration"),
    ]


def test_a_missing_row_closes_the_gate_and_switching_creates_it(
    store: SettingsStore, assets: Connection
) -> None:
    assets.execute(f"delete from pipeline_settings where {OURS}")
    assert store.row(EntitySettings) is None
    assert "has no row for platform 'entity_enrichment'" in said(store)
    change(store, on=True)
    assert isinstance(store.gate(EntitySettings), Open)
    assert stored(assets) == [("entity_enrichment", True, {}, "cli:mina")]


@pytest.mark.parametrize("model", [GeminiSettings, InstagramSettings])
def test_a_missing_shared_row_closes_the_gate_of_a_domain_that_uses_it(
    store: SettingsStore, assets: Connection, model: type[SettingsModel]
) -> None:
    change(store, on=True)
    assets.execute("delete from pipeline_settings where platform = %s", [model.row])
    assert f"run `entity-pipeline migrate`, or `entity-pipeline settings enable {model.name}`" in said(store)
    change(store, model=model, on=True)
    assert isinstance(store.gate(EntitySettings), Open)


def test_a_switched_off_shared_row_stops_what_needs_it_and_nothing_else(store: SettingsStore) -> None:
    change(store, on=True)
    change(store, {"terms_acknowledged": True}, model=InstagramSettings, on=False)
    change(store, model=NotifySettings, on=False)
    assert isinstance(store.gate(EntitySettings), Open)
    assert said(store, InstagramSettings).startswith("'instagram' is switched off for every pipeline")
    change(store, model=GeminiSettings, on=False)
    assert said(store).startswith("'gemini' is switched off for every pipeline")


@pytest.mark.parametrize("is_enabled", [True, False])
def test_switching_keeps_the_settings_and_records_author_and_time(
    store: SettingsStore, assets: Connection, is_enabled: bool
) -> None:
    change(store, {"concurrency": 3})
    assets.execute(f"update pipeline_settings set updated_at = '2026-01-01Z' where {OURS}")
    row = change(store, on=is_enabled, who=JUN)
    assert row == store.row(EntitySettings)
    assert (row.is_enabled, row.settings, row.updated_by) == (is_enabled, {"concurrency": 3}, "page:jun")
    assert row.updated_at is not None
    assert abs(datetime.now(UTC) - row.updated_at) < timedelta(seconds=10)


def test_a_change_keeps_the_switch_and_what_jsonb_refuses_does_not_stop_it(
    store: SettingsStore, assets: Connection
) -> None:
    change(store, model=GeminiSettings, on=True)
    row = change(store, {"accept_models": ["a\x00b"]}, model=GeminiSettings, who=JUN)
    assert row.settings == {"accept_models": ["a\N{REPLACEMENT CHARACTER}b"]}
    assert (row.is_enabled, row.updated_by) == (True, "page:jun")


def test_a_change_creates_a_missing_row_switched_off(store: SettingsStore, assets: Connection) -> None:
    assets.execute(f"delete from pipeline_settings where {OURS}")
    change(store, {"concurrency": 2})
    assert stored(assets) == [("entity_enrichment", False, {"concurrency": 2}, "cli:mina")]


@pytest.mark.parametrize("row_is_there", [True, False])
def test_a_rejected_change_leaves_everything_as_it_is(
    store: SettingsStore, assets: Connection, operation: Connection, row_is_there: bool
) -> None:
    if not row_is_there:
        assets.execute("delete from pipeline_settings")
    before = assets.execute("select * from pipeline_settings").fetchall()

    def reject(_: SettingsRow | None) -> NewRow:
        raise InputRejected("Nothing was changed.")

    row = store.row(EntitySettings)
    with pytest.raises(InputRejected, match="Nothing was changed"):
        store.change(EntitySettings, reject, MINA, row.updated_at if row is not None else None)
    assert assets.execute("select * from pipeline_settings").fetchall() == before
    assert trail(operation) == []


def test_every_change_leaves_a_row_in_the_audit_log_with_row_actor_before_and_after(
    store: SettingsStore, operation: Connection
) -> None:
    begins = store.row(GeminiSettings)
    assert begins is not None
    row = change(store, {"daily_grounding_cap": 50}, model=GeminiSettings)
    off = change(store, on=False, who=JUN)
    (first, second) = trail(operation)
    assert first[:3] == (COMMAND_ACTOR, "gemini.settings", "pipeline_settings")
    assert (first[3]["settings"], first[4]["settings"]) == ({}, {"daily_grounding_cap": 50})
    assert (first[3]["is_enabled"], first[4]["is_enabled"]) == (True, True)
    assert [first[3]["updated_at"], first[4]["updated_at"]] == [
        at.isoformat() for at in (begins.updated_at, row.updated_at) if at is not None
    ]
    assert first[5] == {"pipeline": "gemini", "who": "mina", "channel": "cli"}
    assert second[:2] == (PAGE_ACTOR, "entity_enrichment.settings")
    assert second[4]["updated_by"] == off.updated_by == "page:jun"


def test_a_row_that_a_change_creates_has_no_state_before(
    store: SettingsStore, assets: Connection, operation: Connection
) -> None:
    assets.execute("delete from pipeline_settings where platform = 'notify'")
    change(store, model=NotifySettings, on=True)
    assert trail(operation)[0][3] is None


def test_without_its_row_in_the_audit_log_nothing_is_changed(
    store: SettingsStore, assets: Connection, operation: Connection
) -> None:
    before = stored(assets, "true")
    row = store.row(EntitySettings)
    assert row is not None
    operation.execute("alter table admin_audit_log add constraint full_of_rows check (false) not valid")
    with pytest.raises(psycopg.errors.CheckViolation):
        change(store, on=True)
    gone = SettingsStore(
        assets_db=store.assets_db,
        operation_db=PostgresResource(url=f"postgresql://nobody@127.0.0.1:{free_port()}/operation"),
    )
    with pytest.raises(DatabaseUnavailable):
        change(gone, on=True)
    assert stored(assets, "true") == before
    assert store.row(EntitySettings) == row


def test_of_two_people_at_once_the_second_gets_a_message_and_changes_nothing(
    store: SettingsStore, assets: Connection, operation: Connection
) -> None:
    row = store.row(GeminiSettings)
    assert row is not None
    both = Barrier(2)

    def raise_to(cap: int) -> bool:
        edit = edit_of(GeminiSettings, [Assignment(("daily_grounding_cap",), cap)])
        both.wait()
        try:
            store.change(GeminiSettings, edit, Actor(PAGE_ACTOR, "page", f"p{cap}"), row.updated_at)
        except StaleSettings:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        made = dict(zip((100, 200), pool.map(raise_to, (100, 200)), strict=True))
    [winner] = [cap for cap, is_made in made.items() if is_made]
    assert stored(assets, "platform = 'gemini'")[0][2:] == (
        {"daily_grounding_cap": winner},
        f"page:p{winner}",
    )
    assert [row[4]["settings"] for row in trail(operation)] == [{"daily_grounding_cap": winner}]


def test_a_change_of_one_row_makes_no_other_row_stale(store: SettingsStore) -> None:
    seen = store.row(EntitySettings)
    assert seen is not None
    change(store, {"daily_grounding_cap": 5}, model=GeminiSettings)
    store.change(EntitySettings, edit_of(EntitySettings, is_enabled=True), JUN, seen.updated_at)
    assert isinstance(store.gate(EntitySettings), Open)


def test_a_row_that_is_gone_or_new_is_stale_too(store: SettingsStore, assets: Connection) -> None:
    on = edit_of(EntitySettings, is_enabled=True)
    with pytest.raises(StaleSettings):
        store.change(EntitySettings, on, MINA, None)
    seen = store.row(EntitySettings)
    assert seen is not None
    assets.execute(f"delete from pipeline_settings where {OURS}")
    with pytest.raises(StaleSettings) as stale:
        store.change(EntitySettings, on, MINA, seen.updated_at)
    assert stale.value.row is None
    assert stored(assets) == []


def test_no_change_lacks_its_audit_row_however_many_compete(
    store: SettingsStore, assets: Connection, operation: Connection
) -> None:
    def count_up(nth: int) -> int:
        tried = 0
        while True:
            row = store.row(EntitySettings)
            assert row is not None
            made = NewRow(False, {"concurrency": row.settings.get("concurrency", 0) + 1})
            tried += 1
            try:
                store.change(
                    EntitySettings,
                    lambda _, made=made: made,
                    Actor(COMMAND_ACTOR, "cli", str(nth)),
                    row.updated_at,
                )
            except StaleSettings:
                time.sleep(0.001 * nth)
            else:
                return tried

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(count_up, range(24))) > 24
    assert stored(assets)[0][2] == {"concurrency": 24}
    after = [row[4] for row in trail(operation)]
    assert [state["settings"]["concurrency"] for state in after] == list(range(1, 25))
    before = [row[3] for row in trail(operation)]
    assert before[1:] == after[:-1]


def test_first_changes_at_the_same_time_create_the_row_once(store: SettingsStore, assets: Connection) -> None:
    assets.execute(f"delete from pipeline_settings where {OURS}")
    both = Barrier(4)

    def create(name: str) -> bool:
        both.wait()
        try:
            store.change(EntitySettings, edit_of(EntitySettings, [Assignment((name,), 5)]), MINA, None)
        except StaleSettings:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(create, ["concurrency", "accounts_per_tick"] * 2))
    assert sum(made) == 1
    assert len(stored(assets)) == 1


def test_rows_of_other_pipelines_are_neither_read_nor_changed(
    store: SettingsStore, assets: Connection
) -> None:
    assets.execute("delete from pipeline_settings")
    assets.execute("insert into pipeline_settings (platform, is_enabled) values ('captions', true)")
    assert store.row(EntitySettings) is None
    change(store, on=False)
    change(store, {"concurrency": 2})
    assert stored(assets, "true")[0] == ("captions", True, {}, None)


def test_the_backfill_is_not_switched_on_before_the_terms_are_acknowledged(store: SettingsStore) -> None:
    with pytest.raises(InputRejected, match="Nothing was changed: Instagram's terms forbid"):
        change(store, {"instagram_backfill_enabled": True})
    change(store, {"terms_acknowledged": True}, model=InstagramSettings)
    change(store, {"instagram_backfill_enabled": True})
    change(store, {"terms_acknowledged": False}, model=InstagramSettings)
    change(store, {"concurrency": 2})  # what contradicted before may still be changed
    assert change(store, {"instagram_backfill_enabled": False}).settings["concurrency"] == 2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("[]", "the value is [] and must be a JSON object."),
        ('"text"', 'the value is "text" and must be a JSON object.'),
        ('{"daily_grounding_cap": 1200.0}', "'daily_grounding_cap' is 1200.0 and must be a whole number."),
    ],
)
def test_what_a_person_wrote_by_hand_in_sql_is_judged_as_it_is(
    store: SettingsStore, assets: Connection, settings: str, sentence: str
) -> None:
    change(store, on=True)
    assets.execute("update pipeline_settings set settings = %s::jsonb where platform = 'gemini'", [settings])
    assert said(store) == f"The settings of 'gemini' can't be used: {sentence}"


def test_an_empty_json_value_means_the_defaults(store: SettingsStore, assets: Connection) -> None:
    assets.execute("update pipeline_settings set is_enabled = true, settings = 'null'")
    assert isinstance(store.gate(EntitySettings), Open)


def test_unreadable_settings_are_shown_with_their_good_part(store: SettingsStore, assets: Connection) -> None:
    assets.execute(
        'update pipeline_settings set settings = \'{"daily_grounding_cap": 50, "daily_spend_usd": "x"}\' '
        "where platform = 'gemini'"
    )
    assert store.readable(GeminiSettings) == GeminiSettings(daily_grounding_cap=50)


def test_an_unreachable_database_gives_no_answer() -> None:
    gone = PostgresResource(url=f"postgresql://nobody@127.0.0.1:{free_port()}/assets")
    with pytest.raises(DatabaseUnavailable):
        SettingsStore(assets_db=gone, operation_db=gone).gate(EntitySettings)


@pytest.mark.parametrize(
    ("row", "settings", "says"),
    [
        (
            "gemini",
            '{"daily_grounding_cap": 1e5000}',
            "'daily_grounding_cap' is Infinity and must be a whole number",
        ),
        ("gemini", '{"daily_grounding_cap": 1e308}', "and must be at most 1,000,000"),
        ("gemini", '{"daily_grounding_cap": -1}', "'daily_grounding_cap' is -1 and must be at least 0"),
        ("gemini", '{"daily_grounding_cap": 1450.5}', "must be a whole number"),
        ("gemini", '{"daily_spend_usd": 1e400}', "and must be a number"),
        ("gemini", '{"paid_grounding": "true"}', "must be true or false"),
        ("gemini", '{"shares": {"entities": -1}}', "'shares.entities' is -1 and must be at least 0"),
        ("gemini", '{"accept_models": [""]}', "'accept_models.0' is \"\""),
        ("instagram", '{"windows": {"jitter_s": [5, 2]}}', "must have its smaller number first"),
        ("instagram", '{"shares": {"entities": 2}}', "'shares.entities' is 2 and must be at most 1"),
        ("entity_enrichment", '{"instagram_backfill_enabled": "true"}', "must be true or false"),
        ("entity_enrichment", '{"concurrency": "8"}', "must be a whole number"),
        ("entity_enrichment", '{"thresholds": {"brand": 2}}', "must be at most 1"),
        ("entity_enrichment", '{"daily_cap": 5}', "'daily_cap' is not a known setting"),
        ("entity_enrichment", '{"concurrency": DEEP}', "'concurrency' is [[[["),
        ("entity_enrichment", "DEEP", "the value is [[[["),
        ("entity_enrichment", "[1]", "the value is [1] and must be a JSON object"),
        ("entity_enrichment", '"on"', "must be a JSON object"),
    ],
)
def test_a_nonsensical_row_closes_the_gate_and_says_what_is_wrong(
    store: SettingsStore, assets: Connection, row: str, settings: str, says: str
) -> None:
    change(store, on=True)
    text = settings.replace("DEEP", "[" * 3_000 + "]" * 3_000)
    assets.execute("update pipeline_settings set settings = %s::jsonb where platform = %s", [text, row])
    assert says in said(store)
    assert f"The settings of '{row}' can't be used" in said(store)
    assert len(said(store)) < 500


def test_an_infinite_number_that_concerns_no_gate_does_no_harm(
    store: SettingsStore, assets: Connection
) -> None:
    change(store, on=True)
    assets.execute("update pipeline_settings set settings = '{\"x\": 1e5000}' where platform = 'notify'")
    assert isinstance(store.gate(EntitySettings), Open)
    assert change(store, {"concurrency": 3}).settings["concurrency"] == 3
    assert isinstance(store.gate(EntitySettings), Open)
