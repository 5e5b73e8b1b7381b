"""One odd profile is one odd profile: what a page may hold, and what a row may hold before it is fetched."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.profiles.test_backfill import add, backfiller, found, row_of
from entity_pipeline_tests.fakes.instagram import FakeInstagram

ODD_VALUES: dict[str, dict[str, Any]] = {
    "NUL in every text": {"display_name": "a\0b", "bio": "\0", "external_urls": ("https://a.example/\0",)},
    "lone surrogates": {"display_name": "\ud800x", "bio": "x\udfff", "external_urls": ("https://\ud800",)},
    "an id beyond int8": {"pk": "9" * 20},
    "a count beyond int8": {"follower_count": 10**40},
    "a bio of 5 MB": {"bio": "글" * 1_700_000, "display_name": "x" * 5_000_000},
    "only invisible characters": {"display_name": "\u200b\u202e\ufeff", "bio": "\u2028" * 9_999},
    "combining marks without end": {"display_name": "e" + "\u0301" * 100_000},
    "a thousand links": {"external_urls": tuple(f"https://a.example/{nth}" for nth in range(1_000))},
    "nothing at all": {"display_name": None, "bio": None, "external_urls": (), "follower_count": None},
}


@pytest.mark.parametrize("values", ODD_VALUES.values(), ids=ODD_VALUES)
def test_an_odd_profile_is_stored_and_the_next_one_too(
    operation_db: ClonedDatabase, values: dict[str, Any]
) -> None:
    odd, usual = add(operation_db, "odd"), add(operation_db, "usual")
    seen = FakeInstagram(
        {"odd": found("odd", picture_url=None, **values), "usual": found("usual", pk="7", picture_url=None)}
    )
    work = backfiller(operation_db, seen)
    for account in (odd, usual):
        work.backfill(account)
        assert row_of(operation_db, account)[1]["status"] == "found"
    columns, backfill, _ = row_of(operation_db, odd)
    assert len(columns["bio"] or "") <= 2_200
    assert len(columns["display_name"] or "") <= 200
    assert backfill["instagram_id"] == values.get("pk", "77")
    assert len(backfill["facts"]["external_urls"]) <= 5
    assert work.columns_refused == 0


ODD_SECTIONS: dict[str, Any] = {
    "a list": [1],
    "a text": "x",
    "an id that is a number": {"instagram_id": 77},
    "an id beyond int8": {"instagram_id": 10**30},
    "numbers for texts": dict.fromkeys(("status", "outcome", "fetched_at", "looked_at", "source"), 10**20),
    "attempts beyond int8": {"status": "deferred", "attempts": 10**30},
    "nested nulls": {
        "history": [None, [None], {"at": None}],
        "fields_written": [None],
        "image": [],
        "facts": [None],
    },
    "times beyond years": {
        "history": [{"at": "99999-01-01T00:00:00+00:00", "outcome": "not_found", "canary": True}]
    },
    "marks of renames": {"renamed_to": [None], "renamed_from": {"a": [None]}, "reassigned_to": [None]},
    "deep nesting": {"history": [[[[[[[[[[[]]]]]]]]]]]},
}


@pytest.mark.parametrize("section", ODD_SECTIONS.values(), ids=ODD_SECTIONS)
def test_a_spoiled_section_is_replaced_by_what_is_seen(operation_db: ClonedDatabase, section: Any) -> None:
    account = add(operation_db, "odd")
    with operation_db.connection() as connection:
        connection.execute(
            "update instagram_accounts set metadata = jsonb_set(metadata, "
            "'{entity_enrichment,profile_backfill}', %s) where id = %s",
            [Jsonb(section), account],
        )
    known = section.get("instagram_id") if isinstance(section, dict) else None
    profile: Any = found("odd", pk="77" if known is None else str(known), picture_url=None)
    assert isinstance(profile.value, InstagramProfile)
    backfiller(operation_db, FakeInstagram({"odd": profile})).backfill(account)
    columns, backfill, _ = row_of(operation_db, account)
    assert (backfill["status"], backfill["outcome"], columns["display_name"]) == ("found", "found", "Made Up")
