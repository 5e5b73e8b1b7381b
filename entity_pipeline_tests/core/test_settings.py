"""The settings of the pipeline and its gate, with every sentence that a person may see."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings, InstagramWindows
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.reasons import sentence
from entity_pipeline.core.settings import Closed, Open, SettingsModel, SettingsRow, gate, parse
from entity_pipeline.core.shared_settings import SHARED_ROWS
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.settings_rows import entities_gate, rows_with, split_rows

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def opened(settings: Any) -> EntitySettings:
    state = entities_gate(SettingsRow(True, settings))
    assert isinstance(state, Open), state
    return state.settings


def reason(row: SettingsRow | None, **shared: SettingsRow | None) -> str:
    state = entities_gate(row, **shared)
    assert isinstance(state, Closed), state
    return str(state.reason)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            None,
            "pipeline_settings has no row for platform 'entity_enrichment': "
            "run `entity-pipeline settings enable entities` to create it.",
        ),
        (
            SettingsRow(None, {}),
            "pipeline_settings.is_enabled is empty for 'entity_enrichment': "
            "run `entity-pipeline settings enable entities` or `disable entities`.",
        ),
        (
            SettingsRow(False, {}),
            "The pipeline 'entities' is switched off: run `entity-pipeline settings enable entities` to switch it on.",
        ),
        (  # switched off comes first: unused settings need no correction
            SettingsRow(False, {"unknown": 1}),
            "The pipeline 'entities' is switched off: run `entity-pipeline settings enable entities` to switch it on.",
        ),
        (
            SettingsRow(True, {"unknown": 1}),
            "The settings of 'entity_enrichment' can't be used: 'unknown' is not a known setting.",
        ),
    ],
)
def test_the_gate_is_closed_with_a_reason(row: SettingsRow | None, sentence: str) -> None:
    assert reason(row) == sentence


@pytest.mark.parametrize("empty", [{}, None])
def test_missing_keys_have_the_documented_defaults(empty: Any) -> None:
    settings = opened(empty)
    assert settings == EntitySettings()
    assert settings.model_dump() == {
        "accounts_per_tick": 200,
        "fairness": 0.2,
        "concurrency": 8,
        "thresholds": {"artist": 0.90, "brand": 0.85, "group": 0.90},
        "evidence_level": "ties",
        "calibration": {},
        "instagram_backfill_enabled": False,
        "profile_recheck_days": 90,
        "shared_rows": True,
    }
    assert parse(GeminiSettings, empty).model_dump() == {
        "daily_grounding_cap": 1_450,
        "requests_per_minute": 200,
        "daily_spend_usd": 10.0,
        "monthly_spend_usd": None,
        "paid_grounding": False,
        "shares": {},
        "accept_models": [],
        "ungrounded_pipelines": [],
        "keep_requests": "sealed",
    }
    assert parse(InstagramSettings, empty).model_dump() == {
        "terms_acknowledged": False,
        "windows": {
            "gap_s": 2.0,
            "jitter_s": (2.0, 5.0),
            "per_minute": 20,
            "per_hour": 30,
            "per_day": 1_000,
        },
        "shares": {},
    }
    assert parse(NotifySettings, empty) == NotifySettings()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"daily_grounding_cap": True}, "'daily_grounding_cap' is true and must be a whole number"),
        ({"daily_grounding_cap": "1200"}, "'daily_grounding_cap' is \"1200\" and must be a whole number"),
        ({"daily_grounding_cap": 12.5}, "'daily_grounding_cap' is 12.5 and must be a whole number"),
        ({"daily_grounding_cap": None}, "'daily_grounding_cap' is null and must be a whole number"),
        ({"daily_grounding_cap": -1}, "'daily_grounding_cap' is -1 and must be at least 0"),
        (
            {"daily_grounding_cap": 1_000_001},
            "'daily_grounding_cap' is 1000001 and must be at most 1,000,000",
        ),
        ({"requests_per_minute": 0}, "'requests_per_minute' is 0 and must be at least 1"),
        ({"accounts_per_tick": 0}, "'accounts_per_tick' is 0 and must be at least 1"),
        ({"concurrency": 0}, "'concurrency' is 0 and must be at least 1"),
        ({"concurrency": 65}, "'concurrency' is 65 and must be at most 64"),
        ({"daily_spend_usd": True}, "'daily_spend_usd' is true and must be a number"),
        ({"daily_spend_usd": "10"}, "'daily_spend_usd' is \"10\" and must be a number"),
        ({"daily_spend_usd": -0.01}, "'daily_spend_usd' is -0.01 and must be at least 0"),
        ({"daily_spend_usd": math.inf}, "'daily_spend_usd' is Infinity and must be a finite number"),
        ({"daily_spend_usd": math.nan}, "'daily_spend_usd' is NaN and must be a finite number"),
        ({"thresholds": []}, "'thresholds' is [] and must be a JSON object"),
        ({"thresholds": None}, "'thresholds' is null and must be a JSON object"),
        ({"thresholds": {"brand": 1.2}}, "'thresholds.brand' is 1.2 and must be at most 1"),
        ({"thresholds": {"brand": "0.9"}}, "'thresholds.brand' is \"0.9\" and must be a number"),
        ({"thresholds": {"shop": 0.9}}, "'thresholds.shop' is not a known setting"),
        (
            {"evidence_level": "none"},
            "'evidence_level' is \"none\" and must be 'ties', 'supports' or 'chunks'",
        ),
        ({"calibration": []}, "'calibration' is [] and must be a JSON object"),
        (
            {"calibration": {"shop": []}},
            "'calibration' has the key 'shop', which must be 'artist', 'brand' or 'group'",
        ),
        ({"calibration": {"brand": 0.9}}, "'calibration.brand' is 0.9 and must be a list"),
        ({"calibration": {"brand": [0.9]}}, "'calibration.brand.0' is 0.9 and must be a pair of numbers"),
        ({"calibration": {"brand": [[0.9]]}}, "'calibration.brand.0' is [0.9] and must be a pair of numbers"),
        (
            {"calibration": {"brand": [[0.1, 0.1], [0.1, 0.2, 0.3]]}},
            "'calibration.brand.1' is [0.1, 0.2, 0.3] and must be a pair of numbers",
        ),
        ({"calibration": {"brand": [[0.9, 2]]}}, "'calibration.brand.0.1' is 2 and must be at most 1"),
        ({"calibration": {"brand": [["a", 0]]}}, "'calibration.brand.0.0' is \"a\" and must be a number"),
        (
            {"instagram_backfill_enabled": 1},
            "'instagram_backfill_enabled' is 1 and must be true or false",
        ),
        (
            {"instagram_backfill_enabled": "yes"},
            "'instagram_backfill_enabled' is \"yes\" and must be true or false",
        ),
        (
            {"instagram_windows": {"per_hour": 0}},
            "'windows.per_hour' is 0 and must be at least 1",
        ),
        ({"instagram_windows": {"gap_s": -1}}, "'windows.gap_s' is -1 and must be at least 0"),
        (
            {"instagram_windows": {"gap_s": 86_401}},
            "'windows.gap_s' is 86401 and must be at most 86,400",
        ),
        (
            {"instagram_windows": {"jitter_s": [5, 2]}},
            "'windows.jitter_s' is [5, 2] and must have its smaller number first",
        ),
        (
            {"instagram_windows": {"jitter_s": [-1, 2]}},
            "'windows.jitter_s.0' is -1 and must be at least 0",
        ),
        (
            {"instagram_windows": {"jitter_s": 5}},
            "'windows.jitter_s' is 5 and must be a pair of numbers",
        ),
        ({"instagram_windows": {"per_week": 1}}, "'windows.per_week' is not a known setting"),
        (
            {"concurrency": 0, "typo": 1, "accounts_per_tick": "x"},
            "'accounts_per_tick' is \"x\" and must be a whole number; 'concurrency' is 0 and must be at least 1; "
            "'typo' is not a known setting",
        ),
        (
            {"daily_grounding_cap": "x" * 100},
            f"'daily_grounding_cap' is \"{'x' * 58}… and must be a whole number",
        ),
        ([], "the value is [] and must be a JSON object"),
        ("text", 'the value is "text" and must be a JSON object'),
        (3, "the value is 3 and must be a JSON object"),
        (False, "the value is false and must be a JSON object"),
    ],
)
def test_a_bad_value_closes_the_gate_and_says_what_is_expected(settings: Any, sentence: str) -> None:
    rows = split_rows(settings) if isinstance(settings, dict) else {EntitySettings: settings}
    stored = {model.row: SettingsRow(True, row) for model, row in rows.items()}
    [bad] = [row for model, row in rows.items() if row and row != {}] or [settings]
    said = reason(stored.pop(EntitySettings.row), **stored)
    [name] = [model.row for model, row in rows.items() if row is bad]
    assert said == f"The settings of '{name}' can't be used: {sentence}."


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"daily_grounding_cap": 0}, "daily_grounding_cap", 0),
        ({"daily_grounding_cap": 1_000_000}, "daily_grounding_cap", 1_000_000),
        ({"daily_spend_usd": 5}, "daily_spend_usd", 5.0),
        ({"daily_spend_usd": 0}, "daily_spend_usd", 0.0),
        ({"concurrency": 64}, "concurrency", 64),
        ({"evidence_level": "chunks"}, "evidence_level", "chunks"),
        ({"calibration": {"brand": []}}, "calibration", {"brand": []}),
        (
            {"calibration": {"brand": [[0.5, 0.4], [1, 1]]}},
            "calibration",
            {"brand": [(0.5, 0.4), (1.0, 1.0)]},
        ),
        ({"monthly_spend_usd": 300}, "monthly_spend_usd", 300.0),
        ({"shares": {"entities": 2.5}}, "shares", {"entities": 2.5}),
        ({"accept_models": ["gemini-3.5-flash-lite"]}, "accept_models", ["gemini-3.5-flash-lite"]),
    ],
)
def test_a_good_value_opens_the_gate(settings: Any, name: str, value: Any) -> None:
    model = EntitySettings if name in EntitySettings.model_fields else GeminiSettings
    found = gate(model, rows_with(SettingsRow(True, {})) | {model.row: SettingsRow(True, settings)})
    assert isinstance(found, Open)
    assert getattr(found.settings, name) == value


def test_a_nested_setting_leaves_its_neighbours_at_their_defaults() -> None:
    settings = opened({"thresholds": {"brand": 0.99}})
    assert settings.thresholds.model_dump() == {"artist": 0.90, "brand": 0.99, "group": 0.90}
    instagram = parse(InstagramSettings, {"windows": {"per_hour": 200, "jitter_s": [0, 0]}})
    assert instagram.windows == InstagramWindows(
        gap_s=2.0, jitter_s=(0.0, 0.0), per_minute=20, per_hour=200, per_day=1_000
    )


@pytest.mark.parametrize(
    ("name", "row", "sentence"),
    [
        (
            "gemini",
            None,
            "pipeline_settings has no row for platform 'gemini', which applies to every pipeline: run "
            "`entity-pipeline migrate`, or `entity-pipeline settings enable gemini` if it was deleted.",
        ),
        (
            "gemini",
            SettingsRow(False, {}),
            "'gemini' is switched off for every pipeline: "
            "run `entity-pipeline settings enable gemini` to switch it on.",
        ),
        (
            "gemini",
            SettingsRow(None, {}),
            "pipeline_settings.is_enabled is empty for 'gemini': "
            "run `entity-pipeline settings enable gemini` or `disable gemini`.",
        ),
        (
            "instagram",
            SettingsRow(True, {"windows": 3}),
            "The settings of 'instagram' can't be used: 'windows' is 3 and must be a JSON object.",
        ),
        (
            "instagram",
            SettingsRow(False, {"windows": 3}),
            "The settings of 'instagram' can't be used: 'windows' is 3 and must be a JSON object.",
        ),
        (
            "instagram",
            None,
            "pipeline_settings has no row for platform 'instagram', which applies to every pipeline: run "
            "`entity-pipeline migrate`, or `entity-pipeline settings enable instagram` if it was deleted.",
        ),
    ],
)
def test_a_shared_row_closes_the_gate_and_is_named(name: str, row: SettingsRow | None, sentence: str) -> None:
    assert reason(SettingsRow(True, {}), **{name: row}) == sentence


@pytest.mark.parametrize(
    "shared",
    [
        {"instagram": SettingsRow(False, {})},
        {"instagram": SettingsRow(True, {"terms_acknowledged": False})},
        {"notify": SettingsRow(True, {"backlog_hours": "x"})},
        {"notify": SettingsRow(False, {})},
        {"notify": None},
    ],
)
def test_reviews_continue_without_instagram_and_with_any_content_of_notify(
    shared: dict[str, SettingsRow | None],
) -> None:
    assert isinstance(entities_gate(SettingsRow(True, {}), **shared), Open)


def test_the_domain_s_own_switch_is_named_before_any_shared_row() -> None:
    said = reason(SettingsRow(False, {}), gemini=None, instagram=SettingsRow(True, 3))
    assert said.startswith("The pipeline 'entities' is switched off")


def test_instagram_is_closed_to_every_domain_until_its_terms_are_acknowledged() -> None:
    held = gate(InstagramSettings, {"instagram": SettingsRow(True, {})})
    assert isinstance(held, Closed)
    assert held.reason.key == "terms_not_acknowledged"
    assert isinstance(
        gate(InstagramSettings, {"instagram": SettingsRow(True, {"terms_acknowledged": True})}), Open
    )


@pytest.mark.parametrize("key", sorted(EntitySettings.moved))
def test_a_key_that_moved_is_never_taken_for_a_default(key: str) -> None:
    target, name = EntitySettings.moved[key]
    place = f"{target.name} {name}".strip()
    assert reason(SettingsRow(True, {key: 1})) == (
        f"The settings of 'entity_enrichment' can't be used: '{key}' is now '{place}': `entity-pipeline migrate` "
        f"moves it, and `entity-pipeline settings set {key}=VALUE` replaces it."
    )


def test_the_backfill_is_not_switched_on_before_the_terms_are_acknowledged() -> None:
    on = opened({"instagram_backfill_enabled": True})
    refused = on.refused_beside(lambda model: model())
    assert refused is not None
    assert refused.key == "terms_not_acknowledged"
    assert on.refused_beside(lambda model: parse(model, {"terms_acknowledged": True})) is None
    assert EntitySettings().refused_beside(lambda model: model()) is None


def test_settings_are_not_changed_in_place() -> None:
    settings = opened({})
    with pytest.raises(ValidationError, match="frozen"):
        settings.concurrency = 9


def test_the_defaults_written_out_are_valid_settings() -> None:
    models: tuple[type[SettingsModel], ...] = (EntitySettings, *SHARED_ROWS)
    for model in models:
        assert parse(model, json.loads(model().model_dump_json())) == model()


@given(
    st.none() | st.booleans(),
    ANY_JSON | st.dictionaries(st.sampled_from(sorted(EntitySettings.model_fields)), ANY_JSON, max_size=3),
)
def test_the_gate_answers_for_any_row(is_enabled: bool | None, settings: Any) -> None:
    state = entities_gate(SettingsRow(is_enabled, settings))
    assert isinstance(state, Open) or str(state.reason).endswith(".")
    assert isinstance(state, Open) or any("가" <= letter <= "힣" for letter in sentence(state.reason, "ko"))
    assert isinstance(state, Closed) or is_enabled


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("settings", [{"concurrency": deep(5_000)}, deep(5_000), {"thresholds": deep(5_000)}])
def test_a_value_that_nests_too_deep_to_be_shown_still_closes_the_gate(settings: Any) -> None:
    state = entities_gate(SettingsRow(True, settings))
    assert isinstance(state, Closed)
    assert "is a value that can't be shown and must be a" in str(state.reason)


def test_a_reason_stays_readable_even_with_many_problems() -> None:
    state = entities_gate(SettingsRow(True, {f"{number}" + "k" * 1_000: 1 for number in range(1_000)}))
    assert isinstance(state, Closed)
    assert len(str(state.reason)) < 2_000
    assert str(state.reason).endswith("is not a known setting; and 990 more.")
