"""How a stage shows its result in the Dagster UI: counts, tables, pictures, and the ledger's day.

Which partitions of a run turn green is in `partitions.py`.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import dagster as dg

from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.shared.reporting.charts import as_image

SAMPLE_ROWS = 20


def counts_table(
    counts: Mapping[str, int], label: str = "outcome", counted: str = "accounts"
) -> dg.MetadataValue:
    """Counts by name, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return rows_table([{label: name, counted: count} for name, count in ordered if count])


def rows_table(rows: Sequence[Mapping[str, Any]], most: int = SAMPLE_ROWS) -> dg.MetadataValue:
    """The first rows, which have the same keys, as a table. None is shown as a dash, and an empty table as "none"."""
    if not rows:
        return dg.MetadataValue.text("none")
    return dg.MetadataValue.table(
        [dg.TableRecord({key: _cell(value) for key, value in row.items()}) for row in rows[:most]]
    )


def _cell(value: Any) -> Any:
    """What Dagster can store: it refuses the members of an enumeration, even those that are texts."""
    if value is None:
        return "–"
    return value.value if isinstance(value, Enum) else value


def refused_metadata(refused: Mapping[str, str]) -> dict[str, dg.MetadataValue]:
    """Accounts to which the database refused every write, with its message; empty when there are none."""
    rows = [{"account": name, "the database says": said} for name, said in sorted(refused.items())]
    return {"refused_by_the_database": rows_table(rows)} if rows else {}


def drawn(svg: str, alt: str) -> dg.MetadataValue:
    """A picture of `charts`; `alt` describes it to readers who can't see it."""
    return dg.MetadataValue.md(as_image(svg, alt))


def profile_link(handle: str) -> str:
    """The public page of an account."""
    return f"https://www.instagram.com/{handle}/"


def units_in_words(unit: str) -> str:
    """The name of a cap's unit: `unit` of a `QuotaStatus`."""
    return "search queries" if unit == "query" else "grounded prompts"


def quota_metadata(quota: QuotaStatus | None) -> dict[str, dg.MetadataValue]:
    """The ledger's day as metadata; empty when the ledger was not asked."""
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
