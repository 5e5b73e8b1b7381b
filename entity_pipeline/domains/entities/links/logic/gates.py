"""The gates that keep a review out of the catalog before any entity is considered. Pure.

Each function returns the reasons to hold, and nothing when its gate is open. Honesty comes first: a review
that rests on no evidence is not written anywhere, whatever confidence it claims.
"""

from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN, Candidates
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import Account, AccountRole, AccountType, Review, Verdict
from entity_pipeline.domains.entities.settings import EntitySettings, Thresholds
from entity_pipeline.shared.audit.provenance import by_person

Reasons = tuple[HoldReason, ...]


def threshold_for(account_type: AccountType, thresholds: Thresholds) -> float:
    """The least confidence for this type; `other` needs the highest of the three."""
    per_type = {
        AccountType.ARTIST: thresholds.artist,
        AccountType.BRAND: thresholds.brand,
        AccountType.GROUP: thresholds.group,
    }
    return per_type.get(account_type, max(per_type.values()))


def dishonest(verdict: Verdict, settings: EntitySettings) -> Reasons:
    """Reasons for missing evidence: no search, no source, or no source for a sentence that names the account."""
    checks = (
        (HoldReason.UNGROUNDED, not verdict.grounded),
        (HoldReason.NO_CHUNKS, verdict.chunks < 1),
        (HoldReason.NO_SUPPORT, settings.evidence_level != "chunks" and not verdict.supported),
    )
    return tuple(reason for reason, failed in checks if failed)


def moved_away(account: Account) -> Reasons:
    """Reasons because handle and Instagram account have parted: the review may be about either of them."""
    checks = (
        (HoldReason.REASSIGNED, is_reassigned(section(account, "profile_backfill"))),
        (HoldReason.RENAMED, present_handle(account) is not None),
    )
    return tuple(reason for reason, failed in checks if failed)


def unusable(account: Account, candidates: Candidates) -> Reasons:
    """Reasons that concern the row itself: its handle, its owner, or a link that a person removed."""
    not_linked = (column for table, column in LINK_COLUMN.items() if table not in account.links)
    checks = (
        (HoldReason.INVALID_USERNAME, account.handle is None),
        (HoldReason.INACTIVE, not account.is_active),
        (
            HoldReason.DUPLICATE_USERNAME,
            bool(candidates.twins) and not account.links and not candidates.linked,
        ),
        (HoldReason.UNLINKED_BY_PERSON, any(candidates.ours.get(column) for column in not_linked)),
    )
    return tuple(reason for reason, failed in checks if failed)


def uncertain(verdict: Verdict, thresholds: Thresholds) -> Reasons:
    """Reasons for doubt: an unknown type or role, or a calibrated confidence below the threshold of the type."""
    review = verdict.review
    if review.account_type is AccountType.UNKNOWN:
        return (HoldReason.TYPE_UNKNOWN,)
    # `not >=` instead of `<`, so that a NaN is uncertain too.
    if not verdict.confidence >= threshold_for(review.account_type, thresholds):
        return (HoldReason.BELOW_THRESHOLD,)
    if review.account_type is not AccountType.OTHER and review.account_role is AccountRole.UNKNOWN:
        return (HoldReason.ROLE_UNKNOWN,)
    return ()


def contradicted(account: Account, review: Review, candidates: Candidates) -> Reasons:
    """Reasons because a person has classified the account differently."""
    ours, role = candidates.ours, review.account_role
    their_type = by_person("account_type", account.account_type, ours.get("account_type"))
    their_role = by_person("entity_ig_role", account.entity_ig_role, ours.get("entity_ig_role"))
    checks = (
        (HoldReason.ACCOUNT_TYPE_DIFFERS, their_type not in (None, review.account_type)),
        (HoldReason.ACCOUNT_ROLE_DIFFERS, role is not AccountRole.UNKNOWN and their_role not in (None, role)),
    )
    return tuple(reason for reason, failed in checks if failed)


def present_handle(account: Account) -> str | None:
    """The handle under which the row's Instagram account was last seen, if it is that of another row."""
    handle = json_object(section(account, "profile_backfill").get("renamed_to")).get("username")
    return handle if isinstance(handle, str) and handle else None


def is_reassigned(profile: Mapping[str, Any]) -> bool:
    """Whether the last fetch with an id found another id than the first; fetches without an id don't count."""
    history = profile.get("history")
    looks = [look for look in history if isinstance(look, Mapping)] if isinstance(history, list) else []
    seen = [look["instagram_id"] for look in looks if look.get("instagram_id") is not None]
    known = profile.get("instagram_id")
    moved = bool(seen) and known is not None and str(seen[-1]) != str(known)
    return moved or profile.get("outcome") == "reassigned" or profile.get("reassigned_to") is not None


def section(account: Account, key: str) -> dict[str, Any]:
    """A sub-object of `metadata.entity_enrichment`; empty when it is missing or not an object."""
    return dict(json_object(account.enrichment.get(key)))
