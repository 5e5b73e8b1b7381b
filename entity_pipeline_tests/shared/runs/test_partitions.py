import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.shared.runs.partitions import first_day

DEFAULT = date(2026, 10, 1)


@pytest.mark.parametrize(
    ("environment", "day"),
    [
        ({}, DEFAULT),
        ({"ENTITY_PIPELINE_FIRST_DAY": " "}, DEFAULT),
        ({"ENTITY_PIPELINE_FIRST_DAY": "2025-01-31"}, date(2025, 1, 31)),
    ],
)
def test_the_environment_names_the_first_partition(environment: dict[str, str], day: date) -> None:
    assert first_day(environment, DEFAULT) == day


@pytest.mark.parametrize(
    "stated", ["yesterday", "2026-02-30", "20261001", "2026-W40-4", "2026-10-01T00:00", "01.10.2026"]
)
def test_anything_but_a_day_is_refused_by_name(stated: str) -> None:
    with pytest.raises(
        ConfigurationFailure,
        match=f"^ENTITY_PIPELINE_FIRST_DAY is '{stated}' and must be a day such as 2026-10-01",
    ):
        first_day({"ENTITY_PIPELINE_FIRST_DAY": stated}, DEFAULT)


def test_a_day_in_the_future_is_refused() -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    with pytest.raises(ConfigurationFailure, match="a day in the future"):
        first_day({"ENTITY_PIPELINE_FIRST_DAY": tomorrow.isoformat()}, DEFAULT)


def loaded_with(stated: str) -> "subprocess.CompletedProcess[str]":
    program = (
        "import dagster as dg, entity_pipeline.definitions as d; "
        "print(d.defs.resolve_asset_graph().get(dg.AssetKey('gemini_reviews')).partitions_def.get_partition_keys()[0])"
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ENTITY_PIPELINE_FIRST_DAY": stated,
        },
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_the_code_location_has_its_partitions_from_that_day_on() -> None:
    assert loaded_with("2026-11-05").stdout.strip() == "2026-11-05"


def test_the_code_location_does_not_load_with_a_bad_day_and_says_which() -> None:
    ended = loaded_with("soon")
    assert ended.returncode == 1
    assert "ConfigurationFailure: ENTITY_PIPELINE_FIRST_DAY is 'soon'" in ended.stderr
