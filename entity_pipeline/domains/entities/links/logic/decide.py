"""From a review to a decision about the catalog. Pure; these rules are only here and in `gates.py`.

A hold can still write: an honest and confident classification of a secondary account whose primary is not linked yet
goes into the account's own columns.
"""

from dataclasses import dataclass, replace

from entity_pipeline.domains.entities.links.logic.decisions import (
    AccountWish,
    Attach,
    Candidates,
    Create,
    Decision,
    EntityKey,
    EntityWish,
    Exclude,
    Hold,
    Link,
    links_of,
)
from entity_pipeline.domains.entities.links.logic.gates import (
    contradicted,
    dishonest,
    moved_away,
    section,
    threshold_for,
    uncertain,
    unusable,
)
from entity_pipeline.domains.entities.links.logic.hold_facts import hold_facts
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.logic.names import (
    Names,
    classification,
    names_conflict,
    names_of,
    shares_both,
    shares_name,
)
from entity_pipeline.domains.entities.links.logic.proof import (
    account_unproven,
    attach_unproven,
    claim_unproven,
    overruled,
)
from entity_pipeline.domains.entities.models import (
    TABLE_OF_TYPE,
    Account,
    AccountRole,
    AccountType,
    Entity,
    EntityTable,
    Review,
    Verdict,
)
from entity_pipeline.domains.entities.settings import EntitySettings

RULES_VERSION = "4"  # raise it when a rule changes what would be decided


@dataclass(frozen=True, slots=True)
class _Case:
    """An honest, confident review of one account, and its candidates in the catalog."""

    account: Account
    verdict: Verdict
    candidates: Candidates
    table: EntityTable
    wish: AccountWish
    floor: float

    @property
    def review(self) -> Review:
        """The review of the verdict."""
        return self.verdict.review

    @property
    def linked(self) -> frozenset[EntityKey]:
        """The entities the account already belongs to, from either side."""
        return links_of(self.account, self.candidates.linked)


def decide(
    account: Account, verdict: Verdict | None, candidates: Candidates, settings: EntitySettings
) -> Decision:
    """The decision about `account`. `verdict` is None while there is no finished review.

    A link that followed the account from a former handle needs no review: where the review would hold, it stays.
    """
    decision = _by_review(account, verdict, candidates, settings)
    if not isinstance(decision, Hold):
        return decision
    return _as_followed(account, candidates) or replace(
        decision, facts=hold_facts(decision.reasons, account, verdict, candidates, settings)
    )


def _by_review(
    account: Account, verdict: Verdict | None, candidates: Candidates, settings: EntitySettings
) -> Decision:
    if section(account, "catalog_link").get("status") == "undone":
        return Hold((HoldReason.UNDONE,))
    if verdict is None:
        return Hold((HoldReason.NOT_REVIEWED,))
    review = overruled(verdict.review)
    verdict = replace(verdict, review=review)
    reasons = (
        moved_away(account)
        or dishonest(verdict, settings)
        or unusable(account, candidates)
        or uncertain(verdict, settings.thresholds)
        or contradicted(account, review, candidates)
    )
    if not reasons and review.account_type is AccountType.OTHER and (account.links or candidates.linked):
        reasons = (HoldReason.LINKED_TO_OTHER_TYPE,)
    is_for_the_catalog = review.account_type in TABLE_OF_TYPE
    if not reasons and is_for_the_catalog and settings.evidence_level == "ties":
        reasons = account_unproven(account, verdict, candidates) or claim_unproven(verdict)
    if reasons:
        return Hold(reasons, _not_known(reasons))
    floor = threshold_for(review.account_type, settings.thresholds)
    wish = classification(review, floor)
    if review.account_type is AccountType.OTHER:
        return Exclude(wish)
    if review.account_type is AccountType.BRAND and review.country_of_origin == "NA":
        return Hold((HoldReason.COUNTRY_IS_NAMIBIA,))
    case = _Case(account, verdict, candidates, TABLE_OF_TYPE[review.account_type], wish, floor)
    return _primary(case) if review.account_role is AccountRole.PRIMARY else _follower(case)


def _as_followed(account: Account, candidates: Candidates) -> Decision | None:
    is_undone = section(account, "catalog_link").get("status") == "undone"
    is_followed = bool(section(account, "profile_backfill").get("renamed_from"))
    if not is_followed or is_undone or moved_away(account) or unusable(account, candidates):
        return None
    linked = links_of(account, candidates.linked)
    if len(linked) != 1:
        return None
    ((table, entity_id),) = linked
    if account.entity_ig_role != AccountRole.PRIMARY:
        return Attach(table, entity_id, AccountWish())
    return Link(table, entity_id, AccountWish(), EntityWish(account.id, image_url=_picture(account)))


def _primary(case: _Case) -> Decision:
    """Link to an existing entity if there is one, else create it."""
    names = names_of(case.account, case.review, case.candidates, case.floor)
    wish = _entity_wish(case, names)
    if case.linked:
        reasons = _linked_elsewhere(case)
        if any(_has_other_primary(item, case.account) for item in case.candidates.linked):
            reasons = reasons or (HoldReason.ENTITY_HAS_OTHER_PRIMARY,)
        if reasons:
            return Hold(reasons)
        ((table, entity_id),) = case.linked
        return Link(table, entity_id, case.wish, wish)
    if not names.forms:
        return Hold((HoldReason.NO_NAME,))
    matches = [
        item for item in case.candidates.matches if item.table is case.table and shares_name(item, names)
    ]
    if not matches:
        return _unless_known(case) or Create(case.table, case.wish, wish)
    checks = (
        (HoldReason.SEVERAL_MATCHES, len(matches) > 1),
        (
            HoldReason.ENTITY_HAS_OTHER_PRIMARY,
            any(_has_other_primary(item, case.account) for item in matches),
        ),
        (HoldReason.NAME_CONFLICT, any(names_conflict(item, names) for item in matches)),
        (
            HoldReason.ONE_NAME_ONLY,
            case.table is EntityTable.ARTISTS and not any(shares_both(item, names) for item in matches),
        ),
    )
    reasons = tuple(reason for reason, failed in checks if failed)
    return Hold(reasons) if reasons else Link(case.table, matches[0].id, case.wish, wish)


def _unless_known(case: _Case) -> Hold | None:
    """A new entity would perhaps be one that the catalog has, under a near name or in another table."""
    checks = (
        (HoldReason.NAME_IN_OTHER_TABLE, bool(case.candidates.elsewhere)),
        (HoldReason.NEAR_NAME, bool(case.candidates.near)),
    )
    reasons = tuple(reason for reason, failed in checks if failed)
    return Hold(reasons) if reasons else None


def _follower(case: _Case) -> Decision:
    """A secondary or regional account joins the entity of its primary account and never makes one."""
    account, review = case.account, case.review
    region = case.wish.entity_region_code or account.entity_region_code
    is_primary = any(item.primary_account_id == account.id for item in case.candidates.linked)
    reasons = _linked_elsewhere(case)
    reasons = reasons or ((HoldReason.ACCOUNT_IS_PRIMARY,) if is_primary else ())
    if review.account_role is AccountRole.REGIONAL and not region:
        reasons = reasons or (HoldReason.REGION_MISSING,)
    homes = _homes(case)
    if any(table is not case.table for table, _ in homes):
        reasons = reasons or (HoldReason.PRIMARY_TYPE_DIFFERS,)
    if len(homes) > 1:
        reasons = reasons or (HoldReason.SEVERAL_MATCHES,)
    if homes and case.linked and homes != case.linked:
        reasons = reasons or (HoldReason.ACCOUNT_HAS_OTHER_ENTITY,)
    if not reasons and homes and not case.linked and case.candidates.primary is not None:
        reasons = attach_unproven(case.verdict, case.candidates.primary.entities)
    if reasons:
        return Hold(reasons)
    for table, entity_id in homes or case.linked:
        return Attach(table, entity_id, case.wish)
    if review.primary_username and review.primary_username != account.handle:
        return Hold((HoldReason.PRIMARY_NOT_LINKED,), case.wish)
    return _by_name(case) or Hold((HoldReason.PRIMARY_UNKNOWN,), case.wish)


def _by_name(case: _Case) -> Attach | Hold | None:
    """A regional account of a brand that names no primary account joins the brand of its name, with both ties proven.

    None without such a brand. A hold has another reason than `primary_unknown`, by which `queries/overtaken.py` would
    find the account again.
    """
    matches = [item for item in case.candidates.matches if item.table is EntityTable.BRANDS is case.table]
    if case.review.account_role is not AccountRole.REGIONAL or not matches:
        return None
    names = names_of(case.account, case.review, case.candidates, case.floor)
    checks = (
        (HoldReason.SEVERAL_MATCHES, len(matches) > 1),
        (HoldReason.NAME_CONFLICT, any(names_conflict(item, names) for item in matches)),
        (HoldReason.ATTACH_UNPROVEN, not any(shares_name(item, names) for item in matches)),
    )
    reasons = tuple(reason for reason, failed in checks if failed)
    reasons = reasons or account_unproven(case.account, case.verdict, case.candidates)
    reasons = reasons or claim_unproven(case.verdict)
    return Hold(reasons, case.wish) if reasons else Attach(case.table, matches[0].id, case.wish)


def _homes(case: _Case) -> frozenset[EntityKey]:
    primary = case.candidates.primary
    if primary is None or primary.id == case.account.id:
        return frozenset()
    return frozenset((item.table, item.id) for item in primary.entities)


def _linked_elsewhere(case: _Case) -> tuple[HoldReason, ...]:
    if any(table is not case.table for table, _ in case.linked):
        return (HoldReason.LINKED_TO_OTHER_TYPE,)
    return (HoldReason.ACCOUNT_HAS_OTHER_ENTITY,) if len(case.linked) > 1 else ()


def _has_other_primary(entity: Entity, account: Account) -> bool:
    return entity.primary_account_id not in (None, account.id)


def _not_known(reasons: tuple[HoldReason, ...]) -> AccountWish | None:
    """`unknown` is stored where an honest review can't say the type or the role."""
    if HoldReason.TYPE_UNKNOWN in reasons:
        return AccountWish(account_type=AccountType.UNKNOWN, entity_ig_role=AccountRole.UNKNOWN)
    return AccountWish(entity_ig_role=AccountRole.UNKNOWN) if HoldReason.ROLE_UNKNOWN in reasons else None


def _entity_wish(case: _Case, names: Names) -> EntityWish:
    sure = case.review.field_confidence.country_of_origin
    of_brand = case.table is EntityTable.BRANDS and (sure is None or sure >= case.floor)
    return EntityWish(
        primary_account_id=case.account.id,
        name_en=names.en,
        name_ko=names.ko,
        image_url=_picture(case.account),
        country_of_origin=case.review.country_of_origin if of_brand else None,
    )


def _picture(account: Account) -> str | None:
    image = section(account, "profile_backfill").get("image")
    url = image.get("url") if isinstance(image, dict) else None
    return url if isinstance(url, str) and url else None
