"""The rows that a run leaves, without what differs between any two runs: ids, times and counts of looks.

Two installations with the same final rows look the same to a person who looks at the catalog.
"""

from collections import Counter
from typing import Any

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import Graph

_VOLATILE = frozenset(
    "reviewed_at answered_at usage_event_id run_id linked_at fetched_at looked_at at next_attempt_at sample_posts "
    "entity_id".split()
)
# A look that had to be made twice is remembered as two; what was found is the same.
_COUNTS_OF_LOOKS = frozenset("attempts history".split())

_ENTITIES = """
select '{table}', e.name_en, e.name_ko, e.{image}, {country}, a.username
from {table} e left join instagram_accounts a on a.id = e.primary_instagram_account_id
"""
_ACCOUNTS = """
select a.username, a.display_name, a.bio, a.profile_image_url, a.name_en, a.name_ko, a.account_type::text,
       a.entity_ig_role::text, a.entity_region_code, coalesce(artist.name_en, brand.name_en, "group".name_en),
       a.metadata
from instagram_accounts a
left join artists artist on artist.id = a.artist_id
left join brands brand on brand.id = a.brand_id
left join groups "group" on "group".id = a.group_id
order by a.username
"""
_TAGGED = "select day::text, username, posts from tagged_usernames order by 1, 2"
_AUDIT = "select action, target_table, metadata ->> 'account' from admin_audit_log"


def final_rows(installation: Graph) -> dict[str, Any]:
    """Both databases as values that are equal after equal work."""
    return {
        "tagged": _rows(installation.assets_db, _TAGGED),
        "accounts": [(*row[:-1], _lasting(row[-1])) for row in _rows(installation.operation_db, _ACCOUNTS)],
        "entities": sorted(map(repr, entities(installation.operation_db))),
        "audit": Counter(_rows(installation.operation_db, _AUDIT)),
        "pictures": set(installation.pictures.objects),
    }


def entities(operation_db: ClonedDatabase) -> list[Any]:
    """Every artist, brand and group."""
    tables = {
        "artists": ("profile_image_url", "null"),
        "brands": ("logo_image_url", "e.country_of_origin"),
        "groups": ("profile_image_url", "null"),
    }
    return [
        row
        for table, (image, country) in tables.items()
        for row in _rows(operation_db, _ENTITIES.format(table=table, image=image, country=country))
    ]


def paid(installation: Graph) -> dict[str, int]:
    """Requests that reached Gemini, by account."""
    return dict(installation.gemini.requests["by_subject"])


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _lasting(item)
            for key, item in value.items()
            if key not in _VOLATILE and key not in _COUNTS_OF_LOOKS
        }
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _rows(database: ClonedDatabase, query: str) -> list[Any]:
    with database.connection() as connection:
        return connection.execute(query).fetchall()
