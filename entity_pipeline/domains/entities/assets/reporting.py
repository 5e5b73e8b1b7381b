"""How a stage shows its result in the Dagster UI: counts, tables, and green only where nothing is pending."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from entity_pipeline.domains.entities.queries.enrichment import CohortProgress

OWNERS = ["team:data-engineering"]
GROUP = "entities"
SAMPLE_ROWS = 20
EMPTY_COHORT: Mapping[str, Any] = {"accounts": 0}


def counts_table(
    counts: Mapping[str, int], label: str = "outcome", counted: str = "accounts"
) -> dg.MetadataValue:
    """Counts by name, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return rows_table([{label: name, counted: count} for name, count in ordered if count])


def rows_table(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue:
    """Rows with the same keys as a table; None is shown as a dash, and no row at all as "none"."""
    if not rows:
        return dg.MetadataValue.text("none")
    return dg.MetadataValue.table(
        [
            dg.TableRecord({key: "–" if value is None else value for key, value in row.items()})
            for row in rows[:SAMPLE_ROWS]
        ]
    )


def profile_link(handle: str) -> str:
    """The public page of an account."""
    return f"https://www.instagram.com/{handle}/"


def green_when_finished(
    context: dg.AssetExecutionContext,
    asset: str,
    pending: Mapping[date, int],
    metadata: Mapping[str, Any],
) -> Iterator[dg.MaterializeResult]:
    """Record a materialisation for each partition of the run in which nothing is pending, and an observation
    with the same metadata for every other one. `pending` holds every cohort that has accounts.

    One `MaterializeResult` turns every partition of a run green, so it is only given when all of them are done.
    """
    keys = list(context.partition_keys)
    unfinished = [key for key in keys if pending.get(date.fromisoformat(key), 0)]
    for key in keys:
        day = date.fromisoformat(key)
        details = {**metadata, "pending": pending[day]} if day in pending else EMPTY_COHORT
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


def pending_by_cohort(progress: Sequence[CohortProgress], *, links: bool) -> dict[date, int]:
    """What keeps each cohort from being finished: reviews, and for links also decisions."""
    return {item.cohort: item.reviews_pending + (item.undecided if links else 0) for item in progress}
