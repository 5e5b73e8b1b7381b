"""What a hold is about: the entities, accounts and values that a person must compare to settle it. Pure."""

from collections.abc import Iterable, Mapping

from entity_pipeline.domains.entities.links.logic.decisions import Candidates, Fact, FactKind, Facts
from entity_pipeline.domains.entities.links.logic.gates import present_handle, threshold_for
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import Account, Entity, Verdict
from entity_pipeline.domains.entities.settings import EntitySettings

_MOST_ENTITIES = 5
_LINKED = (
    HoldReason.ACCOUNT_HAS_OTHER_ENTITY,
    HoldReason.LINKED_TO_OTHER_TYPE,
    HoldReason.ACCOUNT_IS_PRIMARY,
)
_NAMED = (HoldReason.NAME_CONFLICT, HoldReason.ONE_NAME_ONLY)


def hold_facts(
    reasons: Iterable[HoldReason],
    account: Account,
    verdict: Verdict | None,
    candidates: Candidates,
    settings: EntitySettings,
) -> Facts:
    """The facts of each reason that has any."""
    if verdict is None:
        return {}
    review = verdict.review
    homes = candidates.primary.entities if candidates.primary else ()
    around = candidates.linked or candidates.matches
    entities: Mapping[HoldReason, tuple[Entity, ...]] = {
        **dict.fromkeys(_LINKED, candidates.linked),
        HoldReason.PRIMARY_TYPE_DIFFERS: homes,
        HoldReason.ATTACH_UNPROVEN: homes or candidates.matches,
        **dict.fromkeys(_NAMED, candidates.matches),
        HoldReason.SEVERAL_MATCHES: candidates.matches if len(candidates.matches) > 1 else homes,
        HoldReason.ENTITY_HAS_OTHER_PRIMARY: tuple(
            item for item in around if item.primary_account_id not in (None, account.id)
        ),
        HoldReason.NEAR_NAME: candidates.near,
        HoldReason.NAME_IN_OTHER_TABLE: candidates.elsewhere,
    }
    values: Mapping[HoldReason, tuple[tuple[FactKind, str | None], ...]] = {
        HoldReason.BELOW_THRESHOLD: (
            (FactKind.CONFIDENCE, f"{verdict.confidence:.2f}"),
            (FactKind.THRESHOLD, f"{threshold_for(review.account_type, settings.thresholds):.2f}"),
        ),
        HoldReason.ACCOUNT_TYPE_DIFFERS: (
            (FactKind.STORED, account.account_type),
            (FactKind.REVIEWED, review.account_type),
        ),
        HoldReason.ACCOUNT_ROLE_DIFFERS: (
            (FactKind.STORED, account.entity_ig_role),
            (FactKind.REVIEWED, review.account_role),
        ),
        HoldReason.FIELD_DIFFERS: ((FactKind.REVIEWED, review.field),),
        HoldReason.PRIMARY_NOT_LINKED: ((FactKind.ACCOUNT, review.primary_username),),
        HoldReason.RENAMED: ((FactKind.ACCOUNT, present_handle(account)),),
        HoldReason.DUPLICATE_USERNAME: ((FactKind.ACCOUNT, account.handle),),
    }
    found = {
        reason: (
            *(fact for item in entities.get(reason, ())[:_MOST_ENTITIES] for fact in _of_entity(item)),
            *(Fact(kind, str(value)) for kind, value in values.get(reason, ()) if value),
        )
        for reason in reasons
    }
    return {reason: facts for reason, facts in found.items() if facts}


def _of_entity(entity: Entity) -> Iterable[Fact]:
    names = " / ".join(name for name in (entity.name_en, entity.name_ko) if name)
    yield Fact(FactKind.ENTITY, names, entity.table, entity.id)
    if entity.primary_username:
        yield Fact(FactKind.PRIMARY, entity.primary_username)
