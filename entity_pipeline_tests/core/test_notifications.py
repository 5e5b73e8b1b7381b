from typing import Any

import pytest

from entity_pipeline.core.notifications import NotifySettings, notify_settings


@pytest.mark.parametrize(
    ("stored", "expected", "unusable"),
    [
        ({}, NotifySettings(), ()),
        ({"backlog_hours": 48}, NotifySettings(backlog_hours=48), ()),
        ({"backlog_hours": 50_000}, NotifySettings(backlog_hours=50_000), ()),
        ({"cap_near_share": 0}, NotifySettings(), ["cap_near_share"]),
        ({"cap_near_share": 1.5}, NotifySettings(), ["cap_near_share"]),
        ({"remind_after_hours": float("inf")}, NotifySettings(), ["remind_after_hours"]),
        ({"remind_after_hours": True}, NotifySettings(), ["remind_after_hours"]),
        (
            {"silent_after_hours": "2", "backlog_hours": 3},
            NotifySettings(backlog_hours=3),
            ["silent_after_hours"],
        ),
        ({"webhook": "https://hooks.example/secret", "x": [{}]}, NotifySettings(), ["webhook", "x"]),
    ],
    ids=["nothing", "good", "years", "zero", "above one", "infinite", "bool", "one bad, one good", "unknown"],
)
def test_a_key_that_cannot_be_used_has_its_default_and_is_named_without_its_value(
    stored: dict[str, Any], expected: NotifySettings, unusable: list[str]
) -> None:
    settings, named = notify_settings(stored)
    assert (settings, list(named)) == (expected, list(unusable))
