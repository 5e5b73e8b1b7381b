"""The form of limits and thresholds: what is typed, what is stored."""

from typing import Any

import pytest

from entity_pipeline.admin.settings_form import (
    fields_of,
    read_settings_form,
    typed_values,
    value_of,
    without_field,
)
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import SettingsModel, parse
from entity_pipeline.core.shared_settings import SHARED_ROWS
from entity_pipeline.domains.entities.settings import EntitySettings

Model = type[SettingsModel]
EVERY_ROW: list[Model] = [*SHARED_ROWS, *(domain.settings for domain in DOMAINS)]  # type: ignore[list-item]

BAD: list[tuple[Model, str, str, str]] = [
    (GeminiSettings, "daily_grounding_cap", "12.5", "settings.whole"),
    (GeminiSettings, "daily_grounding_cap", "1,450", "settings.whole"),
    (GeminiSettings, "daily_grounding_cap", "-1", "settings.between"),
    (GeminiSettings, "daily_grounding_cap", "1000001", "settings.between"),
    (GeminiSettings, "daily_grounding_cap", "9" * 5_000, "settings.whole"),
    (GeminiSettings, "daily_grounding_cap", "1_450", "settings.whole"),
    (GeminiSettings, "daily_spend_usd", "1_0", "settings.number"),
    (GeminiSettings, "monthly_spend_usd", "-1", "settings.between"),
    (GeminiSettings, "paid_grounding", "yes", "settings.choose"),
    (GeminiSettings, "accept_models", "a, " + "b" * 101, "settings.too_long"),
    (InstagramSettings, "windows.per_hour", "0", "settings.between"),
    (NotifySettings, "cap_near_share", "0", "settings.above"),
    (NotifySettings, "cap_near_share", "1.1", "settings.above"),
    (EntitySettings, "concurrency", "0", "settings.between"),
    (EntitySettings, "concurrency", "65", "settings.between"),
    (EntitySettings, "thresholds.brand", "1.01", "settings.between"),
    (EntitySettings, "thresholds.brand", "nan", "settings.between"),
    (EntitySettings, "thresholds.brand", "0,9", "settings.number"),
    (EntitySettings, "evidence_level", "none", "settings.choose"),
]


@pytest.mark.parametrize(
    ("model", "name", "typed", "problem"), BAD, ids=[f"{name} {typed[:8]}" for _, name, typed, _ in BAD]
)
def test_a_bad_value_is_named_beside_its_field_and_nothing_is_stored(
    model: Model, name: str, typed: str, problem: str
) -> None:
    shown = typed_values(model, model())
    other = next(field.name for field in fields_of(model) if field.name != name and not field.choices)
    filled = read_settings_form(model, {**shown, other: "5", name: typed}, shown)
    assert filled.problems[name] == problem
    assert filled.settings == {}
    assert filled.given[name] == typed


GOOD: list[tuple[Model, dict[str, str], dict[str, Any]]] = [
    (GeminiSettings, {}, {}),
    (GeminiSettings, {"daily_grounding_cap": "900"}, {"daily_grounding_cap": 900}),
    (GeminiSettings, {"daily_grounding_cap": ""}, {"daily_grounding_cap": None}),
    (GeminiSettings, {"paid_grounding": "true"}, {"paid_grounding": True}),
    (GeminiSettings, {"accept_models": " a,b , ,a"}, {"accept_models": ["a", "b"]}),
    (GeminiSettings, {"ungrounded_pipelines": "captions"}, {"ungrounded_pipelines": ["captions"]}),
    (GeminiSettings, {"monthly_spend_usd": "20"}, {"monthly_spend_usd": 20.0}),
    (InstagramSettings, {"windows.per_hour": "9"}, {"windows": {"per_hour": 9}}),
    (EntitySettings, {"thresholds.brand": " 0.8 "}, {"thresholds": {"brand": 0.8}}),
    (
        EntitySettings,
        {"thresholds.brand": "1", "thresholds.artist": "0"},
        {"thresholds": {"brand": 1.0, "artist": 0.0}},
    ),
    (EntitySettings, {"evidence_level": "chunks"}, {"evidence_level": "chunks"}),
    (EntitySettings, {"instagram_backfill_enabled": "true"}, {"instagram_backfill_enabled": True}),
]


@pytest.mark.parametrize(("model", "typed", "change"), GOOD, ids=range(len(GOOD)))
def test_only_what_was_changed_is_stored(model: Model, typed: dict[str, str], change: dict[str, Any]) -> None:
    shown = typed_values(model, model())
    assert read_settings_form(model, {**shown, **typed}, shown).settings == change


def stored(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


EVERY_FIELD = [(model, field) for model in EVERY_ROW for field in fields_of(model)]


@pytest.mark.parametrize(
    ("model", "field"), EVERY_FIELD, ids=[f"{model.row} {field.name}" for model, field in EVERY_FIELD]
)
def test_the_bounds_of_the_form_are_those_of_the_settings(model: Model, field: Any) -> None:
    if field.kind == "texts":
        letters = ["a" * int(field.most + more) for more in (0, 1)]
        assert parse(model, stored(field.name, [letters[0]]))
        with pytest.raises(ValueError, match="must"):
            parse(model, stored(field.name, [letters[1]]))
        return
    if field.choices:
        assert [parse(model, stored(field.name, field.read(choice))) for choice in field.choices]
        return
    number = int if field.kind == "whole" else float
    inside = [field.most] if field.excludes_least else [field.least, field.most]
    for bound in inside:
        assert value_of(parse(model, stored(field.name, number(bound))).model_dump(), field.name) == bound
    beyond = [field.least if field.excludes_least else field.least - 1, field.most + 1]
    for value in beyond:
        with pytest.raises(ValueError, match="must be"):
            parse(model, stored(field.name, number(value)))


def leaves(values: dict[str, Any], model: Model, prefix: str = "") -> set[str]:
    """The dotted paths of all values; a mapping of free keys is one."""
    found: set[str] = set()
    for key, value in values.items():
        name = f"{prefix}{key}"
        is_free = name in without_field(model)
        found |= leaves(value, model, f"{name}.") if isinstance(value, dict) and not is_free else {name}
    return found


@pytest.mark.parametrize("model", EVERY_ROW, ids=lambda model: model.row)
def test_every_setting_has_a_field_or_is_named_with_its_command(model: Model) -> None:
    with_field = {field.name for field in fields_of(model)}
    named = set(without_field(model))
    assert with_field.isdisjoint(named)
    assert leaves(model().model_dump(mode="json"), model) - {"shared_rows"} == with_field | named


def test_an_emptied_list_goes_back_to_its_default() -> None:
    shown = typed_values(GeminiSettings, GeminiSettings(accept_models=["a", "b"]))
    assert shown["accept_models"] == "a, b"
    filled = read_settings_form(GeminiSettings, {**shown, "accept_models": " , "}, shown)
    assert filled.settings == {"accept_models": None}


def test_a_setting_that_only_a_migration_sets_has_no_field() -> None:
    assert "shared_rows" not in {field.name for field in fields_of(EntitySettings)}
