"""`settings` on arguments: what an assignment is, which row holds it, and what the result may be."""

from typing import Any

import pytest

from entity_pipeline.cli.settings import parse_assignment, routed
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import SettingsModel
from entity_pipeline.core.settings_change import Assignment, assignments_of, changed
from entity_pipeline.domains.entities.settings import EntitySettings


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("daily_grounding_cap=1200", "daily_grounding_cap", 1200),
        ("thresholds.brand=0.9", "thresholds.brand", 0.9),
        ("instagram_backfill_enabled=true", "instagram_backfill_enabled", True),
        ("evidence_level=chunks", "evidence_level", "chunks"),
        ('evidence_level="chunks"', "evidence_level", "chunks"),
        ("notify.webhook=https://a.example/?x=1", "notify.webhook", "https://a.example/?x=1"),
        ("windows.jitter_s=[1, 2]", "windows.jitter_s", [1, 2]),
        ("evidence_level=", "evidence_level", ""),
        ("calibration={}", "calibration", {}),
        (" concurrency =4", "concurrency", 4),
        ("concurrency=null", "concurrency", None),
    ],
)
def test_an_assignment_is_a_path_and_a_json_value_or_text(text: str, path: str, value: Any) -> None:
    assert parse_assignment(text) == Assignment(tuple(path.split(".")), value)


def test_a_value_that_nests_too_deep_is_taken_as_a_text_and_refused() -> None:
    deep = "[" * 5_000 + "]" * 5_000
    assert parse_assignment(f"concurrency={deep}").value == deep
    with pytest.raises(InputRejected, match="Nothing was changed: 'concurrency' is"):
        change({}, f"concurrency={deep}")


@pytest.mark.parametrize(
    "text", ["concurrency", "=4", ".brand=1", "thresholds..brand=1", "thresholds.=1", ""]
)
def test_anything_but_an_assignment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputRejected, match="is not an assignment; use KEY=VALUE, for example"):
        parse_assignment(text)


def change(current: Any, *assignments: str, model: type[SettingsModel] = EntitySettings) -> dict[str, Any]:
    return changed(model, current, [parse_assignment(text) for text in assignments])


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
        ({"thresholds": {"artist": 0.95}}, ['thresholds={"brand": 0.9}'], {"thresholds": {"brand": 0.9}}),
        ({"thresholds": "high"}, ["thresholds.brand=0.9"], {"thresholds": {"brand": 0.9}}),
        ({"concurrency": "many"}, ["concurrency=5"], {"concurrency": 5}),
        ({"concurrency": 2, "typo": 1}, ["typo=null"], {"concurrency": 2}),
        ({"thresholds": {"brand": 0.9}}, ["thresholds.brand=null"], {}),
        ({}, ["thresholds.brand=null"], {}),
        ({"calibration": {"brand": []}}, ["calibration={}"], {"calibration": {}}),
    ],
)
def test_assignments_are_applied_together(current: Any, assignments: list[str], stored: Any) -> None:
    assert change(current, *assignments) == stored


@pytest.mark.parametrize(
    ("model", "current", "assignments", "sentence"),
    [
        (EntitySettings, {}, ["concurrency=0"], "'concurrency' is 0 and must be at least 1"),
        (EntitySettings, {}, ["concurrency=4", "concurency=4"], "'concurency' is not a known setting"),
        (EntitySettings, {}, ["concurrency.x=4"], "'concurrency' is {\"x\": 4} and must be a whole number"),
        (EntitySettings, {"concurrency": "many"}, ["accounts_per_tick=4"], "'concurrency' is \"many\""),
        (GeminiSettings, {}, ["daily_spend_usd=NaN"], "'daily_spend_usd' is NaN and must be a finite number"),
        (
            GeminiSettings,
            {},
            ["daily_grounding_cap=true"],
            "'daily_grounding_cap' is true and must be a whole",
        ),
        (NotifySettings, {}, ["backlog_hours=0"], "'backlog_hours' is 0 and must be more than 0"),
        (NotifySettings, {}, ["webhook=https://a.example"], "'webhook' is not a known setting"),
    ],
)
def test_a_result_that_is_not_valid_changes_nothing(
    model: type[SettingsModel], current: Any, assignments: list[str], sentence: str
) -> None:
    before = repr(current)
    with pytest.raises(InputRejected) as refused:
        change(current, *assignments, model=model)
    assert str(refused.value).startswith("Nothing was changed: ")
    assert sentence in str(refused.value)
    assert repr(current) == before


def test_the_stored_value_is_never_changed_in_place() -> None:
    current = {"thresholds": {"brand": 0.9}}
    change(current, "thresholds.brand=0.95")
    assert current == {"thresholds": {"brand": 0.9}}


def test_the_leaves_of_nested_objects_leave_their_neighbours_alone() -> None:
    wanted = {"thresholds": {"brand": 0.9, "artist": None}, "calibration": {}}
    assert list(assignments_of(wanted)) == [
        Assignment(("thresholds", "brand"), 0.9),
        Assignment(("thresholds", "artist"), None),
        Assignment(("calibration",), {}),
    ]


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        (["concurrency=4"], {EntitySettings: [("concurrency", 4)]}),
        (["daily_grounding_cap=50"], {GeminiSettings: [("daily_grounding_cap", 50)]}),
        (
            ["instagram_terms_acknowledged=true", "instagram_backfill_enabled=true"],
            {
                InstagramSettings: [("terms_acknowledged", True)],
                EntitySettings: [("instagram_backfill_enabled", True)],
            },
        ),
        (["instagram_windows.per_hour=9"], {InstagramSettings: [("windows.per_hour", 9)]}),
        (['instagram_windows={"per_hour": 9}'], {InstagramSettings: [("windows", {"per_hour": 9})]}),
        (["notify.backlog_hours=48"], {NotifySettings: [("backlog_hours", 48)]}),
        (['notify={"backlog_hours": 48}'], {NotifySettings: [("backlog_hours", 48)]}),
    ],
)
def test_keys_that_moved_still_work_by_their_old_names(
    texts: list[str], rows: dict[type[SettingsModel], list[tuple[str, Any]]]
) -> None:
    found = routed(EntitySettings, [parse_assignment(text) for text in texts], {})
    assert {
        model: [(".".join(one.path), one.value) for one in assignments]
        for model, assignments in found.items()
    } == rows


def test_a_key_that_a_migration_left_behind_is_removed_when_a_person_decides() -> None:
    stored = {"daily_grounding_cap": "many", "notify": {"backlog_hours": 1}}
    texts = ["daily_grounding_cap=50", "notify.backlog_hours=48"]
    found = routed(EntitySettings, [parse_assignment(text) for text in texts], stored)
    assert changed(EntitySettings, stored, found[EntitySettings]) == {}


def test_a_whole_row_at_once_must_be_an_object() -> None:
    with pytest.raises(InputRejected, match="'notify' must be a JSON object"):
        routed(EntitySettings, [parse_assignment("notify=me")], {})
