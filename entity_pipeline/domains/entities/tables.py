"""The table of each asset of the domain, and the columns that the asset reads or writes."""

from collections.abc import Sequence
from typing import Any

from entity_pipeline.shared.reporting.tables import Column
from entity_pipeline.shared.reporting.tables import table_metadata as shown_table

_ENRICHMENT = "metadata.entity_enrichment"

_COLUMNS: dict[str, Sequence[Column]] = {
    "raw_posts": (
        ("platform", "text", "instagram for the posts of this pipeline"),
        ("external_id", "text", "the post's id at the platform"),
        ("platform_metadata", "jsonb", "tagged_usernames: the accounts tagged in the post"),
        ("created_at", "timestamptz", "when the post was collected: its UTC day is its partition"),
        ("updated_at", "timestamptz", "what new_posts_sensor watches, with id"),
    ),
    "tagged_usernames": (
        ("day", "date", "the UTC day of collection, which is the partition"),
        ("username", "text", "normalised handle, without @ and in lower case"),
        ("posts", "int", "posts of the day that tag the account"),
        ("first_seen_at", "timestamptz", "the first of these posts"),
        ("last_seen_at", "timestamptz", "the last of them"),
        ("sample_posts", "uuid[]", "at most three of them"),
    ),
    "instagram_accounts": (
        ("username", "text", "normalised handle; a row like @Nike is recognised"),
        (f"{_ENRICHMENT}.cohort", "date", "the day whose posts first tagged the account; never changes"),
        (
            f"{_ENRICHMENT}.tagging",
            "jsonb",
            "posts, first_tagged_at, last_tagged_at, sample_posts over all days",
        ),
    ),
    "instagram_profiles": (
        ("display_name", "text", "written where it is empty or still ours"),
        ("bio", "text", "written where it is empty or still ours"),
        (
            "profile_image_url",
            "text",
            "the stored picture's public address, written where empty or still ours",
        ),
        (f"{_ENRICHMENT}.profile_backfill", "jsonb", "status, outcome, attempts, picture, history"),
    ),
    "gemini_reviews": (
        (f"{_ENRICHMENT}.gemini_review.status", "text", "reviewed, failed, deferred or pending"),
        (f"{_ENRICHMENT}.gemini_review.review", "jsonb", "names, type, role, region, country, reasoning"),
        (f"{_ENRICHMENT}.gemini_review.confidence", "numeric", "calibrated, 0 to 1"),
        (f"{_ENRICHMENT}.gemini_review.grounded", "bool", "whether the reply rests on a web search"),
        (f"{_ENRICHMENT}.gemini_review.evidence", "jsonb", "sentences with the sources that support them"),
        (f"{_ENRICHMENT}.gemini_review.usage_event_id", "text", "the ledger's row with the whole reply"),
    ),
    "catalog_links": (
        (f"{_ENRICHMENT}.catalog_link.status", "text", "created, linked, attached, held or undone"),
        (f"{_ENRICHMENT}.catalog_link.reasons", "jsonb", "why it is held"),
        ("artist_id, brand_id, group_id", "uuid", "the entity the account belongs to"),
        ("account_type", "text", "written where it is empty or still ours"),
        ("entity_ig_role", "text", "primary, secondary or regional"),
        ("entity_region_code", "text", "ISO 3166-1 alpha-2, for regional accounts"),
    ),
    "enrichment_queue": (
        ("account_id", "uuid", "instagram_accounts.id"),
        ("state", "text", "the state of the account; exactly one applies"),
        ("next_attempt", "text", "the earliest time of its next review, ISO 8601; empty: any time"),
        ("profile_next", "text", "the same for its profile; null: no fetch is pending"),
        ("profile_seen", "text", "when its profile, which was found, was last fetched"),
        ("cohort", "date", "its partition"),
        ("posts", "int", "posts that tag it; the order in which accounts are taken"),
        ("changed_at", "timestamptz", "updated_at of the account as it was read"),
        ("seen_at", "timestamptz", "when it was read"),
    ),
}
_TABLES = {
    "raw_posts": "assets.public.raw_posts",
    "tagged_usernames": "assets.public.tagged_usernames",
    "enrichment_queue": "assets.public.enrichment_queue",
}
_ACCOUNTS = "operation.public.instagram_accounts"


def database_of(asset: str) -> str:
    """`assets` or `operation`."""
    return _TABLES.get(asset, _ACCOUNTS).partition(".")[0]


def table_metadata(asset: str) -> dict[str, Any]:
    """The definition metadata that the UI shows as table name and columns."""
    return shown_table(_TABLES.get(asset, _ACCOUNTS), _COLUMNS[asset])
