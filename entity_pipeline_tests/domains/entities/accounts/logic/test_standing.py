"""Where an account stands, case by case. `accounts/test_enrichment_queue.py` tests that SQL agrees."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from entity_pipeline.domains.entities.accounts.logic.standing import (
    AccountFacts,
    ListedAccount,
    is_due,
    standing,
)

CAME_IN = datetime(2026, 11, 3, 23, 59, tzinfo=UTC)
REVIEWED = {"status": "reviewed", "reviewed_at": "2026-11-01T00:00:00+00:00"}


def link(status: Any, **more: Any) -> dict[str, Any]:
    return {"status": status, "reviewed_at": REVIEWED["reviewed_at"], **more}


def listed(enrichment: Any = None, **columns: Any) -> ListedAccount:
    known: dict[str, Any] = {
        "username": "acme",
        "name_en": None,
        "name_ko": None,
        "account_type": None,
        "account_role": None,
        "region": None,
        "is_active": True,
        "is_usable": True,
        "created_at": CAME_IN,
        "updated_at": CAME_IN + timedelta(hours=1),
    }
    return standing(AccountFacts(id=UUID(int=1), enrichment=enrichment, **{**known, **columns}))


STATES: list[tuple[str, Any, dict[str, Any], str]] = [
    ("nothing yet", None, {}, "pending"),
    ("put off", {"gemini_review": {"status": "deferred"}}, {}, "deferred"),
    ("failed", {"gemini_review": {"status": "failed"}}, {}, "failed"),
    ("reviewed", {"gemini_review": REVIEWED}, {}, "undecided"),
    ("held", {"gemini_review": REVIEWED, "catalog_link": link("held")}, {}, "held"),
    ("excluded", {"gemini_review": REVIEWED, "catalog_link": link("excluded")}, {}, "excluded"),
    (
        "excluded by older rules",
        {"gemini_review": REVIEWED, "catalog_link": link("held", reasons=["type_other"])},
        {},
        "undecided",
    ),
    (
        "excluded by older rules, and held for more",
        {
            "gemini_review": REVIEWED,
            "catalog_link": link("held", reasons=["type_other", "value_not_in_enum"]),
        },
        {},
        "held",
    ),
    ("of another release", {"gemini_review": REVIEWED, "catalog_link": link("parked")}, {}, "held"),
    ("linked", {"gemini_review": REVIEWED, "catalog_link": link("linked")}, {}, "linked"),
    (
        "renewed since",
        {"gemini_review": {**REVIEWED, "reviewed_at": "x"}, "catalog_link": link("held")},
        {},
        "undecided",
    ),
    (
        "renewed since it was undone",
        {"gemini_review": {**REVIEWED, "reviewed_at": "x"}, "catalog_link": link("undone")},
        {},
        "undone",
    ),
    (
        "a picture came later",
        {
            "gemini_review": REVIEWED,
            "catalog_link": link("linked", picture=None),
            "profile_backfill": {"image": {"sha256": "p"}},
        },
        {},
        "undecided",
    ),
    (
        "decided before pictures were noted",
        {
            "gemini_review": REVIEWED,
            "catalog_link": link("linked"),
            "profile_backfill": {"image": {"sha256": "p"}},
        },
        {},
        "linked",
    ),
    ("switched off", None, {"is_active": False}, "left_alone"),
    ("switched off, reviewed", {"gemini_review": REVIEWED}, {"is_active": False}, "undecided"),
    ("metadata of another kind", None, {"is_usable": False}, "left_alone"),
]


@pytest.mark.parametrize(
    ("enrichment", "columns", "state"), [case[1:] for case in STATES], ids=[case[0] for case in STATES]
)
def test_an_account_is_in_one_state(enrichment: Any, columns: dict[str, Any], state: str) -> None:
    assert listed(enrichment, **columns).state == state


@pytest.mark.parametrize(
    ("cohort", "expected"),
    [
        ("2026-11-02", date(2026, 11, 2)),
        ("2026-02-31", date(2026, 3, 3)),
        ("2026-13-01", CAME_IN.date()),
        ("2026-11-02\n", CAME_IN.date()),
        ("٢٠٢٦-11-02", CAME_IN.date()),
        (20261102, CAME_IN.date()),
        (None, CAME_IN.date()),
    ],
)
def test_an_invalid_cohort_is_replaced_by_the_day_the_account_came_in(cohort: Any, expected: date) -> None:
    assert listed({"cohort": cohort}).cohort == expected


@pytest.mark.parametrize(
    ("posts", "expected"),
    [(3, 3), (2.5, 3), (-1, 0), (1e30, 1_000_000_000), (True, 0), ("3", 0), (None, 0), ([], 0)],
)
def test_posts_are_a_whole_number_within_bounds(posts: Any, expected: int) -> None:
    assert listed({"tagging": {"posts": posts}}).posts == expected


LOOKED = "2026-02-03T04:05:06+00:00"


@pytest.mark.parametrize(
    ("profile", "profile_next", "waits_for_picture"),
    [
        (None, "", False),
        ({"status": "found"}, None, False),
        (
            {"status": "deferred", "next_attempt_at": "2026-11-04T00:00:00+00:00"},
            "2026-11-04T00:00:00+00:00",
            False,
        ),
        ({"status": "deferred", "next_attempt_at": "soon"}, "", False),
        ({"status": "deferred", "outcome": "found"}, "", True),
        ({"status": "found", "outcome": "found"}, None, False),
    ],
)
def test_a_profile_waits_until_its_outcome_is_certain(
    profile: Any, profile_next: str | None, waits_for_picture: bool
) -> None:
    found = listed({"profile_backfill": profile})
    assert (found.profile_next, found.waits_for_picture) == (profile_next, waits_for_picture)
    assert listed({"profile_backfill": profile}, is_active=False).profile_next is None


@pytest.mark.parametrize(
    ("profile", "seen"),
    [
        ({"status": "found", "looked_at": LOOKED, "fetched_at": "2026-01-01T00:00:00+00:00"}, LOOKED),
        ({"status": "found", "looked_at": "soon", "fetched_at": LOOKED}, LOOKED),
        ({"status": "found", "looked_at": 7, "fetched_at": None}, None),
        ({"status": "found"}, None),
        ({"status": "deferred", "looked_at": LOOKED}, None),
        ({"status": "not_found", "looked_at": LOOKED}, None),
        (None, None),
    ],
)
def test_only_a_profile_that_was_found_ages(profile: Any, seen: str | None) -> None:
    assert listed({"profile_backfill": profile}).profile_seen == seen
    assert listed({"profile_backfill": profile}, is_active=False).profile_seen is None


def test_what_people_wrote_counts_before_what_the_review_says() -> None:
    review = {
        "review": {
            "account_type": "brand",
            "account_role": "primary",
            "entity_region_code": "JP",
            "name_en": "Ａcme",
        }
    }
    reviewed = listed({"gemini_review": review}, account_type="unknown", region="")
    assert (reviewed.account_type, reviewed.account_role, reviewed.region) == ("brand", "primary", "JP")
    assert reviewed.name_en == "acme"
    edited = listed({"gemini_review": review}, account_type="artist", region="KR", name_en="Other One")
    assert (edited.account_type, edited.region, edited.name_en) == ("artist", "KR", "otherone")
    assert listed(account_type="unknown").account_type == "unknown"


def test_reasons_are_those_of_the_state_it_is_in() -> None:
    failed = {"gemini_review": {"status": "failed", "error": {"reason": "unreadable"}}}
    assert listed(failed).reasons == ["unreadable"]
    reasons = ["no_name", None, 3, "x" * 99]
    held = {"gemini_review": REVIEWED, "catalog_link": link("held", reasons=reasons)}
    assert listed(held).reasons == ["no_name", "3", "x" * 60]
    assert listed({**held, "catalog_link": link("linked", reasons=reasons)}).reasons == []


@pytest.mark.parametrize(
    ("username", "handle"), [("@Nike", "nike"), (" @a ", "a"), ("가B", "가b"), ("x" * 300, "x" * 200)]
)
def test_the_handle_is_what_people_search_for(username: str, handle: str) -> None:
    assert listed(username=username).handle == handle


def test_a_stage_may_try_again_from_its_given_time_on() -> None:
    section = {"next_attempt_at": "2026-03-10T12:00:00+00:00"}
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert not is_due(section, noon - timedelta(microseconds=1))
    assert is_due(section, noon)
    assert is_due(section, noon + timedelta(microseconds=1))
    assert is_due({"next_attempt_at": "soon"}, noon)
    assert is_due({}, noon)
