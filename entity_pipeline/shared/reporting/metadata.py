"""How a stage shows its result in the Dagster UI: counts, tables, and green only where nothing is pending."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from entity_pipeline.core.gemini.ledger import QuotaStatus
from entity_pipeline.shared.reporting.charts import as_image

OWNERS = ["team:data-engineering"]
SAMPLE_ROWS = 20
EMPTY_COHORT: Mapping[str, Any] = {"accounts": 0}


def counts_table(
    counts: Mapping[str, int], label: str = "outcome", counted: str = "accounts"
) -> dg.MetadataValue:
    """Counts by name, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return rows_table([{label: name, counted: count} for name, count in ordered if count])


def rows_table(rows: Sequence[Mapping[str, Any]], most: int = SAMPLE_ROWS) -> dg.MetadataValue:
    """At most so many rows with the same keys as a table; None is shown as a dash, and no row at all as "none"."""
    if not rows:
        return dg.MetadataValue.text("none")
    return dg.MetadataValue.table(
        [
            dg.TableRecord({key: "–" if value is None else value for key, value in row.items()})
            for row in rows[:most]
        ]
    )


def drawn(svg: str, alt: str) -> dg.MetadataValue:
    """A picture of `pictures`; `alt` is for those who can't see it."""
    return dg.MetadataValue.md(as_image(svg, alt))


def profile_link(handle: str) -> str:
    """The public page of an account."""
    return f"https://www.instagram.com/{handle}/"


def days_in_words(partition_keys: Sequence[str]) -> str:
    """The days of a run, whose figures stand with each of its partitions."""
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

    One `MaterializeResult` turns every partition of a run green, so it is only given when all of them are done.
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


def units_in_words(unit: str) -> str:
    """What the cap counts: `unit` of a `QuotaStatus`."""
    return "search queries" if unit == "query" else "grounded prompts"


def quota_metadata(quota: QuotaStatus | None) -> dict[str, dg.MetadataValue]:
    """The ledger's day as metadata; nothing when nobody asked for it."""
    if quota is None:
        return {}
    blocked = {} if quota.blocked_until is None else {"blocked_until": quota.blocked_until}
    return {
        "quota_day_pacific": dg.MetadataValue.text(quota.quota_day.isoformat()),
        "quota_unit": dg.MetadataValue.text(units_in_words(quota.unit)),
        "quota_used": dg.MetadataValue.int(quota.used),
        "quota_reserved": dg.MetadataValue.int(quota.reserved),
        "quota_remaining": dg.MetadataValue.int(quota.remaining),
        "quota_cap": dg.MetadataValue.int(quota.cap),
        "quota_cap_reached": dg.MetadataValue.bool(quota.cap_reached),
        "quota_resets_at": dg.MetadataValue.timestamp(quota.resets_at),
        **{name: dg.MetadataValue.timestamp(at) for name, at in blocked.items()},
        "spent_today_usd": dg.MetadataValue.float(float(quota.spent_usd)),
        "spend_limit_usd": dg.MetadataValue.float(float(quota.spend_limit_usd)),
        "model": dg.MetadataValue.text(quota.model),
    }
