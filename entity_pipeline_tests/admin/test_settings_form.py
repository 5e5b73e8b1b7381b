"""The form of limits and thresholds: what is typed, what is stored."""

from typing import Any

import pytest

from entity_pipeline.admin.settings_form import (
    NAMES,
    as_typed,
    read_settings_form,
    setting_fields,
    value_of,
)
from entity_pipeline.core.settings import parse
from entity_pipeline.domains.entities.settings import EntitySettings

SHOWN = {name: as_typed(value_of(EntitySettings().model_dump(mode="json"), name)) for name in NAMES}

BAD = [
    ("daily_grounding_cap", "12.5", "settings.whole"),
    ("daily_grounding_cap", "1,450", "settings.whole"),
    ("daily_grounding_cap", "-1", "settings.between"),
    ("daily_grounding_cap", "1000001", "settings.between"),
    ("daily_grounding_cap", "9" * 5_000, "settings.whole"),
    ("daily_grounding_cap", "1_450", "settings.whole"),
    ("daily_spend_usd", "1_0", "settings.number"),
    ("concurrency", "0", "settings.between"),
    ("concurrency", "65", "settings.between"),
    ("thresholds.brand", "1.01", "settings.between"),
    ("thresholds.brand", "nan", "settings.between"),
    ("thresholds.brand", "0,9", "settings.number"),
    ("evidence_level", "none", "settings.choose"),
]


@pytest.mark.parametrize(
    ("name", "typed", "problem"), BAD, ids=[f"{name} {typed[:8]}" for name, typed, _ in BAD]
)
def test_a_bad_value_is_named_beside_its_field_and_nothing_is_stored(
    name: str, typed: str, problem: str
) -> None:
    filled = read_settings_form({**SHOWN, "accounts_per_tick": "5", name: typed}, SHOWN)
    assert filled.problems == {name: problem}
    assert filled.settings == {}
    assert filled.given[name] == typed


GOOD: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {}),
    ({"daily_grounding_cap": "900"}, {"daily_grounding_cap": 900}),
    ({"thresholds.brand": " 0.8 "}, {"thresholds": {"brand": 0.8}}),
    ({"thresholds.brand": "1", "thresholds.artist": "0"}, {"thresholds": {"brand": 1.0, "artist": 0.0}}),
    ({"daily_grounding_cap": ""}, {"daily_grounding_cap": None}),
    ({"evidence_level": "chunks"}, {"evidence_level": "chunks"}),
]


@pytest.mark.parametrize(("typed", "change"), GOOD, ids=range(len(GOOD)))
def test_only_what_was_changed_is_stored(typed: dict[str, str], change: dict[str, Any]) -> None:
    assert read_settings_form({**SHOWN, **typed}, SHOWN).settings == change


@pytest.mark.parametrize("field", setting_fields(), ids=lambda field: field.name)
def test_the_bounds_of_the_form_are_those_of_the_settings(field: Any) -> None:
    first, _, rest = field.name.partition(".")

    def stored(value: Any) -> dict[str, Any]:
        return {first: {rest: value} if rest else value}

    if field.choices:
        assert [parse(EntitySettings, stored(choice)) for choice in field.choices]
        return
    number = int if field.is_whole else float
    for bound in (field.least, field.most):
        assert value_of(parse(EntitySettings, stored(number(bound))).model_dump(), field.name) == bound
    for beyond in (field.least - 1, field.most + 1):
        with pytest.raises(ValueError, match="must be"):
            parse(EntitySettings, stored(number(beyond)))
