from typing import Any

import pytest

from entity_pipeline.cli.settings import changed, parse_assignment
from entity_pipeline.core.failures import InputRejected


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("daily_grounding_cap=1200", (["daily_grounding_cap"], 1200)),
        ("thresholds.brand=0.9", (["thresholds", "brand"], 0.9)),
        ("instagram_backfill_enabled=true", (["instagram_backfill_enabled"], True)),
        ("evidence_level=chunks", (["evidence_level"], "chunks")),
        ('evidence_level="chunks"', (["evidence_level"], "chunks")),
        ("notify.webhook=https://a.example/?x=1", (["notify", "webhook"], "https://a.example/?x=1")),
        ("instagram_windows.jitter_s=[1, 2]", (["instagram_windows", "jitter_s"], [1, 2])),
        ("evidence_level=", (["evidence_level"], "")),
        ("calibration={}", (["calibration"], {})),
        (" concurrency =4", (["concurrency"], 4)),
    ],
)
def test_an_assignment_is_a_path_and_a_json_value_or_text(text: str, parsed: Any) -> None:
    assert parse_assignment(text) == parsed


def test_a_value_that_nests_too_deep_is_taken_as_a_text_and_refused() -> None:
    deep = "[" * 5_000 + "]" * 5_000
    assert parse_assignment(f"concurrency={deep}") == (["concurrency"], deep)
    with pytest.raises(InputRejected, match="Nothing was changed: 'concurrency' is"):
        change({}, f"concurrency={deep}")


@pytest.mark.parametrize(
    "text", ["concurrency", "=4", ".brand=1", "thresholds..brand=1", "thresholds.=1", ""]
)
def test_what_is_no_assignment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputRejected, match="is no assignment: write KEY=VALUE, for example"):
        parse_assignment(text)


def change(current: Any, *assignments: str) -> dict[str, Any]:
    return changed(current, [parse_assignment(text) for text in assignments])


@pytest.mark.parametrize(
    ("current", "assignments", "stored"),
    [
        ({}, ["concurrency=4"], {"concurrency": 4}),
        (None, ["concurrency=4"], {"concurrency": 4}),
        ([1], ["concurrency=4"], {"concurrency": 4}),
        ({"concurrency": 2}, ["concurrency=4", "concurrency=5"], {"concurrency": 5}),
        ({"accounts_per_tick": 9}, ["concurrency=4"], {"accounts_per_tick": 9, "concurrency": 4}),
        (
            {"thresholds": {"artist": 0.95}},
            ["thresholds.brand=0.9"],
            {"thresholds": {"artist": 0.95, "brand": 0.9}},
        ),
        ({"thresholds": "high"}, ["thresholds.brand=0.9"], {"thresholds": {"brand": 0.9}}),
        ({"daily_grounding_cap": "many"}, ["daily_grounding_cap=5"], {"daily_grounding_cap": 5}),
        (
            {},
            ["instagram_backfill_enabled=true", "instagram_terms_acknowledged=true"],
            {"instagram_backfill_enabled": True, "instagram_terms_acknowledged": True},
        ),
    ],
)
def test_assignments_are_applied_together(current: Any, assignments: list[str], stored: Any) -> None:
    assert change(current, *assignments) == stored


@pytest.mark.parametrize(
    ("current", "assignments", "sentence"),
    [
        ({}, ["concurrency=0"], "'concurrency' is 0 and must be at least 1"),
        ({}, ["concurrency=4", "concurency=4"], "'concurency' is not a known setting"),
        ({}, ["concurrency.x=4"], "'concurrency' is {\"x\": 4} and must be a whole number"),
        ({"daily_grounding_cap": "many"}, ["concurrency=4"], "'daily_grounding_cap' is \"many\""),
        ({}, ["instagram_backfill_enabled=true"], "needs instagram_terms_acknowledged=true"),
        ({}, ["daily_spend_usd=NaN"], "'daily_spend_usd' is NaN and must be a finite number"),
        ({}, ["daily_grounding_cap=true"], "'daily_grounding_cap' is true and must be a whole number"),
    ],
)
def test_a_result_that_is_not_valid_changes_nothing(
    current: Any, assignments: list[str], sentence: str
) -> None:
    before = repr(current)
    with pytest.raises(InputRejected) as refused:
        change(current, *assignments)
    assert str(refused.value).startswith("Nothing was changed: ")
    assert sentence in str(refused.value)
    assert repr(current) == before


def test_the_stored_value_is_never_changed_in_place() -> None:
    current = {"thresholds": {"brand": 0.9}}
    change(current, "thresholds.brand=0.95")
    assert current == {"thresholds": {"brand": 0.9}}
