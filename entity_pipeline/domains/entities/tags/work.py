"""A run of `tagged_usernames`: the recount of its days, and the report."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.entities.partitions import FIRST_DAY, cohort_days
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tags.queries.raw_posts import count_without_a_day
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import (
    DayRecount,
    most_tagged,
    recount_days,
)
from entity_pipeline.shared.reporting.charts import BLUE, bars_by_name
from entity_pipeline.shared.reporting.metadata import (
    counts_table,
    drawn,
    profile_link,
    rows_table,
)
from entity_pipeline.shared.reporting.partitions import days_in_words
from entity_pipeline.shared.runs.gate import open_settings


def count_tags(
    context: dg.AssetExecutionContext, assets_db: Database, settings: SettingsAccess
) -> dg.MaterializeResult:
    """Count the tags of the run's days again."""
    open_settings(settings, EntitySettings)
    days = cohort_days(context.partition_keys)
    recounts = patiently(lambda: _recount(assets_db, days))
    for recount, top in recounts:
        context.add_asset_metadata(_day_metadata(recount, top), partition_key=recount.day.isoformat())
    seen: dict[str, Any] = {
        "days": days_in_words(context.partition_keys),
        "posts_read": sum(recount.posts for recount, _ in recounts),
        "posts_with_tags": sum(_posts_with_tags(recount) for recount, _ in recounts),
        "posts_without_a_day": patiently_on(assets_db, count_without_a_day),
    }
    context.log_event(dg.AssetObservation("raw_posts", metadata=seen))
    return dg.MaterializeResult()


def _recount(assets_db: Database, days: Sequence[date]) -> list[tuple[DayRecount, list[dict[str, Any]]]]:
    with assets_db.connection() as reader, assets_db.connection() as writer:
        return [
            (recount, most_tagged(writer, recount.day) if recount.posts else [])
            for recount in recount_days(reader, writer, min(days), max(days), first_partition=FIRST_DAY)
        ]


def _posts_with_tags(recount: DayRecount) -> int:
    return recount.tags.posts - recount.tags.posts_without_username


def _day_metadata(recount: DayRecount, top: list[dict[str, Any]]) -> dict[str, Any]:
    if not recount.posts:
        return {"posts": 0, "usernames_deleted": recount.rows.deleted}
    tags, rows = recount.tags, recount.rows
    return {
        "posts": recount.posts,
        "most_tagged_picture": drawn(
            bars_by_name(
                f"Most-tagged accounts of {recount.day}, in posts",
                [(f"@{item['username']}", item["posts"], BLUE) for item in top],
            ),
            f"The most-tagged accounts of {recount.day}",
        ),
        "dagster/row_count": rows.inserted + rows.updated + rows.unchanged,
        "refused_items": counts_table(tags.bad_items, "reason", "items"),
        "refused_arrays": counts_table(tags.bad_arrays, "found_in_place_of_array", "posts"),
        "refused_examples": rows_table(
            [{"reason": reason, "examples": ", ".join(items)} for reason, items in tags.examples.items()]
        ),
        "most_tagged": rows_table([{**item, "profile": profile_link(item["username"])} for item in top]),
        "posts_with_tags": _posts_with_tags(recount),
        "tags": recount.tags.tags,
        "usernames_inserted": recount.rows.inserted,
        "usernames_updated": recount.rows.updated,
        "usernames_deleted": recount.rows.deleted,
        "usernames_unchanged": recount.rows.unchanged,
        "items_refused": sum(recount.tags.bad_items.values()),
        "arrays_refused": sum(recount.tags.bad_arrays.values()),
    }
