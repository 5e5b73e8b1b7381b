"""The settings of the pipeline and its gate, with every sentence a person can meet."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from entity_pipeline.core.instagram.access import InstagramWindows
from entity_pipeline.core.settings import (
    Closed,
    Open,
    PipelineSettings,
    SettingsRow,
    gate,
    parse_settings,
)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def opened(settings: Any) -> PipelineSettings:
    state = gate(SettingsRow(True, settings))
    assert isinstance(state, Open), state
    return state.settings


def reason(row: SettingsRow | None) -> str:
    state = gate(row)
    assert isinstance(state, Closed), state
    return state.reason


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            None,
            "pipeline_settings has no row for platform 'entity_enrichment': "
            "run `entity-pipeline settings enable` to create it.",
        ),
        (
            SettingsRow(None, {}),
            "pipeline_settings.is_enabled is empty: run `entity-pipeline settings enable` or `disable`.",
        ),
        (
            SettingsRow(False, {}),
            "The pipeline is switched off: run `entity-pipeline settings enable` to switch it on.",
        ),
        (  # switched off comes first: nobody needs to correct what is not used
            SettingsRow(False, {"unknown": 1}),
            "The pipeline is switched off: run `entity-pipeline settings enable` to switch it on.",
        ),
        (
            SettingsRow(True, {"unknown": 1}),
            "pipeline_settings.settings can't be used: 'unknown' is not a known setting.",
        ),
    ],
)
def test_the_gate_is_closed_with_a_reason(row: SettingsRow | None, sentence: str) -> None:
    assert reason(row) == sentence


@pytest.mark.parametrize("empty", [{}, None])
def test_missing_keys_have_the_documented_defaults(empty: Any) -> None:
    settings = opened(empty)
    assert settings == PipelineSettings()
    assert settings.model_dump() == {
        "daily_grounding_cap": 1_450,
        "requests_per_minute": 200,
        "daily_spend_usd": 10.0,
        "accounts_per_tick": 200,
        "concurrency": 8,
        "thresholds": {"artist": 0.90, "brand": 0.85, "group": 0.90},
        "evidence_level": "supports",
        "calibration": {},
        "instagram_backfill_enabled": False,
        "instagram_terms_acknowledged": False,
        "instagram_windows": {
            "gap_s": 2.0,
            "jitter_s": (2.0, 5.0),
            "per_minute": 20,
            "per_hour": 30,
            "per_day": 1_000,
        },
        "notify": {},
    }


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
        ({"evidence_level": "none"}, "'evidence_level' is \"none\" and must be 'supports' or 'chunks'"),
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
            {"instagram_backfill_enabled": True},
            "instagram_backfill_enabled needs instagram_terms_acknowledged=true: "
            "Instagram's terms forbid automated collection without permission",
        ),
        (
            {"instagram_windows": {"per_hour": 0}},
            "'instagram_windows.per_hour' is 0 and must be at least 1",
        ),
        ({"instagram_windows": {"gap_s": -1}}, "'instagram_windows.gap_s' is -1 and must be at least 0"),
        (
            {"instagram_windows": {"gap_s": 86_401}},
            "'instagram_windows.gap_s' is 86401 and must be at most 86,400",
        ),
        (
            {"instagram_windows": {"jitter_s": [5, 2]}},
            "'instagram_windows.jitter_s' is [5, 2] and must have its smaller number first",
        ),
        (
            {"instagram_windows": {"jitter_s": [-1, 2]}},
            "'instagram_windows.jitter_s.0' is -1 and must be at least 0",
        ),
        (
            {"instagram_windows": {"jitter_s": 5}},
            "'instagram_windows.jitter_s' is 5 and must be a pair of numbers",
        ),
        ({"instagram_windows": {"per_week": 1}}, "'instagram_windows.per_week' is not a known setting"),
        ({"notify": "me"}, "'notify' is \"me\" and must be a JSON object"),
        (
            {"concurrency": 0, "typo": 1, "daily_spend_usd": "x"},
            "'daily_spend_usd' is \"x\" and must be a number; 'concurrency' is 0 and must be at least 1; "
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
    assert reason(SettingsRow(True, settings)) == f"pipeline_settings.settings can't be used: {sentence}."


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
        ({"instagram_terms_acknowledged": True}, "instagram_terms_acknowledged", True),
        ({"notify": {"webhook": ["anything"]}}, "notify", {"webhook": ["anything"]}),
    ],
)
def test_a_good_value_opens_the_gate(settings: Any, name: str, value: Any) -> None:
    assert getattr(opened(settings), name) == value


def test_a_nested_setting_leaves_its_neighbours_at_their_defaults() -> None:
    settings = opened(
        {"thresholds": {"brand": 0.99}, "instagram_windows": {"per_hour": 200, "jitter_s": [0, 0]}}
    )
    assert settings.thresholds.model_dump() == {"artist": 0.90, "brand": 0.99, "group": 0.90}
    assert settings.instagram_windows.windows() == InstagramWindows(
        gap_s=2.0, jitter_s=(0.0, 0.0), per_minute=20, per_hour=200, per_day=1_000
    )


def test_backfill_is_allowed_once_the_terms_are_acknowledged() -> None:
    settings = opened({"instagram_backfill_enabled": True, "instagram_terms_acknowledged": True})
    assert settings.instagram_backfill_enabled


def test_settings_are_not_changed_in_place() -> None:
    settings = opened({})
    with pytest.raises(ValidationError, match="frozen"):
        settings.daily_grounding_cap = 9_999


def test_the_defaults_written_out_are_valid_settings() -> None:
    assert parse_settings(json.loads(PipelineSettings().model_dump_json())) == PipelineSettings()


@given(
    st.none() | st.booleans(),
    ANY_JSON | st.dictionaries(st.sampled_from(sorted(PipelineSettings.model_fields)), ANY_JSON, max_size=3),
)
def test_the_gate_answers_for_any_row(is_enabled: bool | None, settings: Any) -> None:
    state = gate(SettingsRow(is_enabled, settings))
    assert isinstance(state, Open) or state.reason.endswith(".")
    assert isinstance(state, Closed) or is_enabled


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("settings", [{"concurrency": deep(5_000)}, deep(5_000), {"thresholds": deep(5_000)}])
def test_a_value_that_nests_too_deep_to_be_shown_closes_the_gate_all_the_same(settings: Any) -> None:
    state = gate(SettingsRow(True, settings))
    assert isinstance(state, Closed)
    assert "is something that can't be shown and must be a" in state.reason


def test_a_reason_stays_readable_however_much_is_wrong() -> None:
    state = gate(SettingsRow(True, {f"{number}" + "k" * 1_000: 1 for number in range(1_000)}))
    assert isinstance(state, Closed)
    assert len(state.reason) < 2_000
    assert state.reason.endswith("is not a known setting; and 990 more.")
