"""The stored looks for a profile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.scraping.logic.sightings import shows_absence, with_look
from entity_pipeline_tests.domains.influencers.scraping.blogger import DRIFT, FOUND, NOT_THERE, NOW


def looks(*results: tuple[float, Result[Any]]) -> list[dict[str, Any]]:
    """Each so many hours after the first."""
    entries: list[dict[str, Any]] = []
    for hours, result in results:
        entries = with_look(entries, result, NOW + timedelta(hours=hours))
    return entries


@pytest.mark.parametrize(
    ("results", "absent"),
    [
        ([(0, NOT_THERE)], False),
        ([(0, NOT_THERE), (6, NOT_THERE)], True),
        ([(0, NOT_THERE), (5, NOT_THERE)], False),
        ([(0, NOT_THERE), (1, FOUND), (6, NOT_THERE)], False),
        ([(0, NOT_THERE), (1, Result(Finding.PRIVATE)), (6, NOT_THERE)], False),
        ([(0, NOT_THERE), (1, DRIFT), (6, NOT_THERE)], True),
        ([(0, NOT_THERE), (6, replace(NOT_THERE, canary=False))], False),
        ([(0, NOT_THERE), *[(hours, NOT_THERE) for hours in range(1, 6)], (6, NOT_THERE)], True),
    ],
)
def test_two_looks_six_hours_apart_show_an_absence(
    results: list[tuple[float, Result[Any]]], absent: bool
) -> None:
    entries = looks(*results)
    assert shows_absence(entries) is absent
    assert len(entries) <= 5


@pytest.mark.parametrize(
    "stored", [None, {}, "x", [None, 7, "x"], [{"at": 7, "outcome": [], "canary": "yes"}]]
)
def test_stored_looks_that_can_not_be_read_say_nothing(stored: object) -> None:
    entries = with_look(stored, NOT_THERE, NOW)
    assert entries[-1]["outcome"] == "not_found"
    assert not shows_absence(entries)
