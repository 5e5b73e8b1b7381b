from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.commands.enrich import parse_cohorts
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day


def test_no_cohort_means_all_of_them() -> None:
    assert parse_cohorts([]) is None


def test_cohorts_are_days_of_the_partitions() -> None:
    today = last_day(datetime.now(UTC))
    assert parse_cohorts([FIRST_DAY.isoformat(), today.isoformat()]) == [FIRST_DAY, today]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30", "21.11.2026", "2026-11"])
def test_anything_but_a_day_is_refused_with_the_expected_form(text: str) -> None:
    with pytest.raises(InputRejected, match=f"^'{text}' is not a day: write --cohort YYYY-MM-DD.$"):
        parse_cohorts(["2026-11-01", text])


@pytest.mark.parametrize(
    "day", [FIRST_DAY - timedelta(days=1), last_day(datetime.now(UTC)) + timedelta(days=2)]
)
def test_a_day_without_a_partition_is_refused(day: object) -> None:
    with pytest.raises(
        InputRejected, match=f"^There is no cohort {day}: the first is {FIRST_DAY}, the last is today"
    ):
        parse_cohorts([str(day)])
