"""Green means finished: which partitions of a run are recorded as materialised, and with which metadata.

What counts as pending belongs to each stage.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

EMPTY_COHORT: Mapping[str, Any] = {"accounts": 0}


def days_in_words(partition_keys: Sequence[str]) -> str:
    """The days of a run, whose figures are shown at each of its partitions."""
    first, last = min(partition_keys), max(partition_keys)
    return first if first == last else f"{first} to {last}"


def green_when_finished(
    context: dg.AssetExecutionContext,
    asset: str,
    pending: Mapping[date, int],
    metadata: Mapping[str, Any],
) -> Iterator[dg.MaterializeResult]:
    """Record a materialisation for each partition of the run in which nothing is pending, and an observation
    with the same metadata for every other one. `pending` holds every cohort that has accounts.

    Later steps run either way: an unfinished day delays neither the other days nor its own finished accounts.
    """
    keys = list(context.partition_keys)
    unfinished = [key for key in keys if pending.get(date.fromisoformat(key), 0)]
    for key in keys:
        day = date.fromisoformat(key)
        details = (
            {"pending": pending[day], "run_covers": days_in_words(keys), **metadata}
            if day in pending
            else EMPTY_COHORT
        )
        if not unfinished:
            context.add_asset_metadata(details, partition_key=key)
        elif key in unfinished:
            context.log_event(dg.AssetObservation(asset, partition=key, metadata=details))
        else:
            context.log_event(dg.AssetMaterialization(asset, partition=key, metadata=details))
    if not unfinished:
        yield dg.MaterializeResult()
    else:
        context.log.warning(
            f"{len(unfinished)} of {len(keys)} partitions still have pending accounts and stay open: "
            + ", ".join(f"{key} ({pending[date.fromisoformat(key)]})" for key in unfinished[:10])
        )
        yield _end_of_step()


def _end_of_step() -> dg.MaterializeResult:
    """A result that lets the next steps of the run begin and records no materialisation.

    One ordinary result turns every partition of a run green, and without a result Dagster skips the later steps.
    Dagster itself marks outputs this way when a step has recorded their events (`_log_materialization_or_observation_
    events_for_asset`), but offers no public form of it. The key is imported and not repeated here, so that with a
    release of Dagster without it a step fails before its work begins and can't turn unfinished days green.
    """
    return dg.MaterializeResult(metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})
