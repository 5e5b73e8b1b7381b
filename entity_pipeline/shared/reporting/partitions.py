"""Green means finished: which partitions of a run are recorded as materialised, and with which metadata.

What counts as pending belongs to each stage.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    left = {key: count for key in keys if (count := pending.get(date.fromisoformat(key), 0))}

    def details(key: str) -> Mapping[str, Any]:
        day = date.fromisoformat(key)
        if day not in pending:
            return EMPTY_COHORT
        return {"pending": pending[day], "run_covers": days_in_words(keys), **metadata}

    yield from end_partitions(context, [asset], left, details, "pending accounts")


def end_partitions(
    context: dg.AssetExecutionContext,
    assets: Sequence[str],
    left: Mapping[str, int],
    details: Callable[[str], Mapping[str, Any]],
    what: str,
) -> Iterator[dg.MaterializeResult]:
    """Record a materialisation of each asset for each partition of the run, and an observation for those in `left`.

    `left` has the number of what is left, such as "pending accounts", by partition; `details` gives the metadata of a
    partition. `assets` are all assets of the step.
    """
    keys = list(context.partition_keys)
    for asset in assets:
        for key in keys:
            if not left:
                context.add_asset_metadata(details(key), asset_key=asset, partition_key=key)
            elif key in left:
                context.log_event(dg.AssetObservation(asset, partition=key, metadata=details(key)))
            else:
                context.log_event(dg.AssetMaterialization(asset, partition=key, metadata=details(key)))
    if left:
        context.log.warning(
            f"{len(left)} of {len(keys)} partitions still have {what} and stay open: "
            + ", ".join(f"{key} ({count})" for key, count in list(left.items())[:10])
        )
    for asset in assets:
        yield _end_of_step(asset) if left else dg.MaterializeResult(asset_key=asset)


def _end_of_step(asset: str) -> dg.MaterializeResult:
    """A result that lets the next steps of the run begin and records no materialisation.

    One ordinary result turns every partition of a run green, and without a result Dagster skips the later steps.
    Dagster itself marks outputs this way when a step has recorded their events (`_log_materialization_or_observation_
    events_for_asset`), but offers no public form of it. The key is imported and not repeated here, so that with a
    release of Dagster without it a step fails before its work begins and can't turn unfinished days green.
    """
    return dg.MaterializeResult(
        asset_key=asset, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
    )
