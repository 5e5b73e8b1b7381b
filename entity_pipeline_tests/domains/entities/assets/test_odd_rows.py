"""One odd row is one odd row: what collectors and people may leave in the tables, each beside a usual post.

All of them stand in one installation, so that a row which stops a day, a list or a run stops the test.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.accounts.enrichment_queue import compare
from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, Graph, graph, plain

DEEP = "[" * 600 + "]" * 600
HUGE = "9" * 400
# The metadata of a post as JSON, and how it is counted: by kind for the array, or by reason for each item.
ODD_METADATA: dict[str, tuple[str, str | dict[str, int]]] = {
    "an array": ('["nike"]', "metadata_array"),
    "encoded twice, but an array": (json.dumps('["nike"]'), "metadata_string"),
    "a text": ('"nike"', "metadata_string"),
    "a number": (HUGE, "metadata_number"),
    "tags are an object": ('{"tagged_usernames": {"0": "nike"}}', "object"),
    "tags are a text": ('{"tagged_usernames": "nike"}', "string"),
    "tags nest deep": (f'{{"tagged_usernames": [{DEEP}, "nike"]}}', {"not_a_string": 1}),
    "numbers beyond int8": (f'{{"tagged_usernames": [{HUGE}, -{HUGE}, 1e400]}}', {"not_a_string": 3}),
    "nulls in nulls": ('{"tagged_usernames": [null, [null], {"a": null}]}', {"not_a_string": 3}),
    "NUL and control characters": (
        r'{"tagged_usernames": ["ni\u0001ke", "\u001f"]}',
        {"bad_character": 1, "empty": 1},
    ),
    "a very long item": (json.dumps({"tagged_usernames": ["n" * 5_000_000]}), {"too_long": 1}),
    "a million items": (json.dumps({"tagged_usernames": [""] * 200_000}), {"empty": 200_000}),
}
ODD_TIMES = ("infinity", "-infinity", "0044-03-15 BC", "294276-12-31", "9999-12-31")
ODD_ACCOUNTS: dict[str, Any] = {
    "list.madeup": [1],
    "text.madeup": "text",
    "number.madeup": 10**300,
    "tagging.madeup": {"entity_enrichment": {"tagging": {"posts": 10**300}, "cohort": "2026-02-31"}},
    "stages.madeup": {
        "entity_enrichment": {"profile_backfill": [None], "gemini_review": 7, "catalog_link": "x"}
    },
    "history.madeup": {
        "entity_enrichment": {
            "profile_backfill": {
                "status": "found",
                "looked_at": "0001-01-01",
                "fetched_at": "2999-99-99T",
                "instagram_id": 10**30,
                "history": [None, 7, {"at": "never", "instagram_id": []}],
                "renamed_from": [{"account_id": "x" * 9_999, "username": None}, [None]],
                "renamed_to": {"account_id": 7, "username": ""},
            }
        }
    },
}


@pytest.fixture
def installation(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    with graph(assets_db, operation_db) as built:
        yield built


def add_post(
    connection: Any, name: str, metadata: str, created_at: Any, updated_at: Any, caption: str
) -> None:
    connection.execute(
        "insert into raw_posts (platform, external_id, platform_metadata, created_at, updated_at, caption) "
        "values ('instagram', %s, %s, %s, %s, %s)",
        [name, metadata, created_at, updated_at, caption],
    )


@pytest.mark.timeout(300)
def test_odd_posts_and_accounts_are_counted_and_stop_nothing(installation: Graph) -> None:
    installation.post(MONDAY, "prada", "@Timberland", times=2)
    usual = json.dumps({"tagged_usernames": ["prada"]})
    with installation.assets_db.connection() as connection:
        for name, (metadata, _) in ODD_METADATA.items():
            add_post(connection, name, metadata, MONDAY, MONDAY, "")
        add_post(connection, "a caption of 5 MB", usual, MONDAY, MONDAY, "글" * 1_700_000)
        for at in ODD_TIMES:
            add_post(connection, f"created {at}", usual, at, MONDAY, "")
            add_post(connection, f"updated {at}", usual, MONDAY, at, "")
    with installation.operation_db.connection() as connection:
        for nth, (username, metadata) in enumerate(ODD_ACCOUNTS.items()):
            at = (*ODD_TIMES, MONDAY)[nth % (len(ODD_TIMES) + 1)]
            connection.execute(
                "insert into instagram_accounts (username, metadata, created_at, bio) values (%s, %s, %s, %s)",
                [username, Jsonb(metadata), at, "x" * 1_000_000],
            )
    installation.run_all(MONDAY, TUESDAY)
    accounts = installation.accounts()
    assert accounts.keys() == ODD_ACCOUNTS.keys() | {"prada", "timberland", "nike"}
    with installation.operation_db.connection() as operation, installation.assets_db.connection() as assets:
        assert compare(operation, assets, give_up_at=math.inf).is_finished
        assert assets.execute("select count(*) from enrichment_queue").fetchone() == (len(accounts),)
        assert overtaken(operation) == []
    day = installation.metadata("tagged_usernames", MONDAY)
    kinds = [found for _, found in ODD_METADATA.values()]
    arrays = {kind: kinds.count(kind) for kind in kinds if isinstance(kind, str)}
    assert {row["found_in_place_of_array"]: row["posts"] for row in day["refused_arrays"]} == arrays
    items: dict[str, int] = {}
    for found in kinds:
        for reason, count in found.items() if isinstance(found, dict) else ():
            items[reason] = items.get(reason, 0) + count
    assert {row["reason"]: row["items"] for row in day["refused_items"]} == items
    seen = plain(installation.observations("raw_posts")[0].metadata)
    assert seen["posts_without_a_day"] == len(ODD_TIMES)
    assert accounts["prada"]["tagging"]["posts"] == 2 + 1 + len(ODD_TIMES)
    assert {accounts[name]["catalog_link"]["status"] for name in ("prada", "timberland")} == {"created"}
