"""Requests for runs over ranges of days."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg

from entity_pipeline.shared.runs.days import contiguous
from entity_pipeline.shared.runs.tags import range_tags


def requests_for(
    days: Iterable[date], now: datetime, job: str | None = None, config: Mapping[str, Any] | None = None
) -> list[dg.RunRequest]:
    """One run for each range of days without a gap.

    The run key changes with every tick: Dagster never repeats a key, and the same day may change again.
    """
    return [
        dg.RunRequest(
            run_key=f"{job or ''}{first}..{last}@{now.isoformat()}",
            job_name=job,
            run_config=config,
            tags=range_tags(first.isoformat(), last.isoformat()),
        )
        for first, last in contiguous(days)
    ]
