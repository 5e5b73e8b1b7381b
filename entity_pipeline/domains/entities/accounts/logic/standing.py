"""The state of an account and the stage it waits for: the one definition, derived from its row alone.

`enrichment_queue` keeps what `standing` returns, so planners and lists never decide it again. A run selects its
accounts by the same rule in SQL (`accounts/queries/enrichment.py`); a test keeps the two equal. Reading and writing
rows does not belong here.

People edit the metadata too, so a value that can't be read counts as absent, and nothing here raises.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.entities.language.same_name import normalise_name

_DAY = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])", re.ASCII)
_INSTANT = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T", re.ASCII)
_MOST_POSTS = 1_000_000_000
_MOST_REASONS = 50


class AccountState(StrEnum):
    """The state of an account, exactly one at a time. Stored in `enrichment_queue.state`."""

    PENDING = "pending"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNDECIDED = "undecided"
    HELD = "held"
    EXCLUDED = "excluded"
    LINKED = "linked"
    CREATED = "created"
    ATTACHED = "attached"
    UNDONE = "undone"
    LEFT_ALONE = "left_alone"


WAITS_FOR_REVIEW = (AccountState.PENDING, AccountState.DEFERRED)
_DECIDED = frozenset(
    {AccountState.LINKED, AccountState.CREATED, AccountState.ATTACHED, AccountState.EXCLUDED}
)
# How rules before version 3 stored what is `excluded` now.
EXCLUDED_BEFORE = ["type_other"]


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The stored values of an account's row. `enrichment` is `metadata.entity_enrichment`, which may be any value.

    `is_usable` is False for metadata that can't hold our keys without losing its content.
    """

    id: UUID
    username: str
    name_en: str | None
    name_ko: str | None
    account_type: str | None
    account_role: str | None
    region: str | None
    is_active: bool
    is_usable: bool
    created_at: datetime
    updated_at: datetime
    enrichment: Any


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """One row of `enrichment_queue`; the names of the fields are those of its columns.

    `next_attempt` and `profile_next` are ISO 8601 as stored: the earliest time of the next review (None: any time)
    and of the next fetch of the profile (None: none is pending, ``""``: any time). `waits_for_picture` is True if the
    profile was found and only its picture could not be stored yet. `profile_seen` is when a profile that was found
    was last looked at. `handle` and both names are normalised.
    """

    account_id: UUID
    created_at: datetime
    changed_at: datetime
    cohort: date
    posts: int
    state: AccountState
    account_type: str | None
    account_role: str | None
    region: str | None
    reasons: list[str]
    handle: str
    name_en: str | None
    name_ko: str | None
    next_attempt: str | None
    profile_next: str | None
    waits_for_picture: bool
    profile_seen: str | None


def standing(account: AccountFacts) -> ListedAccount:
    """The account's row of `enrichment_queue`."""
    enrichment = json_object(account.enrichment)
    review, profile = (
        json_object(enrichment.get("gemini_review")),
        json_object(enrichment.get("profile_backfill")),
    )
    link = json_object(enrichment.get("catalog_link"))
    said = json_object(review.get("review"))
    is_open = account.is_active and account.is_usable
    state = _state(review, link, profile, is_open=is_open)
    looks_at_profile = is_open and profile_waits(profile)
    return ListedAccount(
        account_id=account.id,
        created_at=account.created_at,
        changed_at=account.updated_at,
        cohort=_cohort(enrichment.get("cohort"), account.created_at),
        posts=_posts(json_object(enrichment.get("tagging")).get("posts")),
        state=state,
        account_type=_known(account.account_type, _text(said.get("account_type")), 40),
        account_role=_known(account.account_role, _text(said.get("account_role")), 40),
        region=_cut(account.region or _text(said.get("entity_region_code")), 10),
        reasons=_reasons(state, review, link),
        handle=account.username.strip(" ").lstrip("@").lower()[:200],
        name_en=_name(account.name_en or _text(said.get("name_en"))),
        name_ko=_name(account.name_ko or _text(said.get("name_ko"))),
        next_attempt=not_before(review),
        profile_next=(not_before(profile) or "") if looks_at_profile else None,
        waits_for_picture=looks_at_profile and profile.get("outcome") == "found",
        profile_seen=_last_look(profile) if is_open and profile.get("status") == "found" else None,
    )


def review_waits(review: Mapping[str, Any]) -> bool:
    """Whether the section `gemini_review` (empty when there is none) leaves the review open, now or later."""
    return review.get("status") not in ("reviewed", "failed")


def profile_waits(profile: Mapping[str, Any]) -> bool:
    """Whether the section `profile_backfill` leaves a fetch of the profile open, now or later."""
    status = profile.get("status")
    return status is None or status in ("pending", "deferred")


def not_before(section: Mapping[str, Any]) -> str | None:
    """The time at which a stage may try again, as stored; None means at any time."""
    return _instant(section.get("next_attempt_at"))


def is_due(section: Mapping[str, Any], now: datetime) -> bool:
    """Whether a stage may try again at `now`.

    Texts are compared, as in SQL: all stored times are ISO 8601 in UTC.
    """
    return (not_before(section) or "") <= now.astimezone(UTC).isoformat()


def _state(
    review: Mapping[str, Any], link: Mapping[str, Any], profile: Mapping[str, Any], *, is_open: bool
) -> AccountState:
    if review.get("status") == "failed":
        return AccountState.FAILED
    if review.get("status") == "reviewed":
        return _decision(review, link, profile)
    if not is_open:
        return AccountState.LEFT_ALONE
    return AccountState.DEFERRED if review.get("status") == "deferred" else AccountState.PENDING


def _decision(review: Mapping[str, Any], link: Mapping[str, Any], profile: Mapping[str, Any]) -> AccountState:
    """A renewed review, a later picture or an outdated form requires a new decision, unless a person undid the last."""
    status = link.get("status")
    if status is None:
        return AccountState.UNDECIDED
    if status == "undone":
        return AccountState.UNDONE
    if _text(link.get("reviewed_at")) != _text(review.get("reviewed_at")):
        return AccountState.UNDECIDED
    if status == AccountState.HELD and link.get("reasons") == EXCLUDED_BEFORE:
        return AccountState.UNDECIDED
    picture = _text(json_object(profile.get("image")).get("sha256"))
    if "picture" in link and _text(link["picture"]) != picture:
        return AccountState.UNDECIDED
    return AccountState(status) if isinstance(status, str) and status in _DECIDED else AccountState.HELD


def _last_look(profile: Mapping[str, Any]) -> str | None:
    """Earlier releases stored only when the profile was found."""
    return _instant(profile.get("looked_at")) or _instant(profile.get("fetched_at"))


def _instant(value: object) -> str | None:
    return value[:40] if isinstance(value, str) and _INSTANT.match(value) else None


def _cohort(stored: object, created_at: datetime) -> date:
    """A day beyond the end of its month moves into the next; an account without a cohort counts to its first day."""
    if isinstance(stored, str) and _DAY.fullmatch(stored):
        first = date(int(stored[:4]), int(stored[5:7]), 1)
        return first + timedelta(days=int(stored[8:]) - 1)
    return created_at.astimezone(UTC).date()


def _posts(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(max(value, 0), _MOST_POSTS) + 0.5)


def _reasons(state: AccountState, review: Mapping[str, Any], link: Mapping[str, Any]) -> list[str]:
    if state is AccountState.FAILED:
        found = [json_object(review.get("error")).get("reason")]
    elif state is AccountState.HELD:
        stored = link.get("reasons")
        found = stored if isinstance(stored, list) else []
    else:
        return []
    known = [text[:60] for item in found if (text := _text(item)) is not None]
    return known[:_MOST_REASONS]


def _known(stored: str | None, reviewed: str | None, length: int) -> str | None:
    """The value of the column, or the review's value where the column's is unknown."""
    own = None if stored == "unknown" else stored
    return _cut(next((value for value in (own, reviewed, stored) if value is not None), None), length)


def _name(name: str | None) -> str | None:
    return None if name is None else normalise_name(name[:400])[:200]


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]


def _text(value: object) -> str | None:
    """A JSON value as text, as ``->>`` gives it."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
