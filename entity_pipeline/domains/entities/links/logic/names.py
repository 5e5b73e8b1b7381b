"""The names of a reviewed account, and when they are those of an entity of the catalog. Pure."""

from dataclasses import dataclass

from entity_pipeline.domains.entities.language.same_name import normalise_name, normalised
from entity_pipeline.domains.entities.links.logic.decisions import AccountWish, Candidates
from entity_pipeline.domains.entities.models import Account, Entity, Review
from entity_pipeline.shared.audit.provenance import by_person


@dataclass(frozen=True, slots=True)
class Names:
    """The names of an account: a person's if there is one, else the review's."""

    en: str | None
    ko: str | None

    @property
    def forms(self) -> frozenset[str]:
        """The comparable forms."""
        return normalised((self.en, self.ko))


def classification(review: Review, floor: float) -> AccountWish:
    """The columns of the account; a value of which the review is less sure than `floor` is left out."""
    sure = review.field_confidence

    def kept(value: str | None, confidence: float | None) -> str | None:
        return value if value and value.strip() and (confidence is None or confidence >= floor) else None

    return AccountWish(
        account_type=review.account_type,
        entity_ig_role=review.account_role,
        entity_region_code=kept(review.entity_region_code, sure.entity_region_code),
        name_en=kept(review.name_en, sure.name_en),
        name_ko=kept(review.name_ko, sure.name_ko),
    )


def names_of(account: Account, review: Review, candidates: Candidates, floor: float = 0.0) -> Names:
    """The names to search in the catalog; a review's name only if its confidence reaches `floor`."""
    sure = classification(review, floor)
    en = by_person("name_en", account.name_en, candidates.ours.get("name_en"))
    ko = by_person("name_ko", account.name_ko, candidates.ours.get("name_ko"))
    return Names(en or sure.name_en, ko or sure.name_ko)


def forms_of(entity: Entity) -> frozenset[str]:
    """The comparable forms of an entity's names."""
    return normalised((entity.name_en, entity.name_ko))


def shares_name(entity: Entity, names: Names) -> bool:
    """Whether one of the names is one of the entity's, in either language."""
    return not names.forms.isdisjoint(forms_of(entity))


def shares_both(entity: Entity, names: Names) -> bool:
    """Both names agree: one name in one language does not identify a person."""
    ours = (normalise_name(names.en), normalise_name(names.ko))
    theirs = (normalise_name(entity.name_en), normalise_name(entity.name_ko))
    return all(ours) and ours == theirs


def names_conflict(entity: Entity, names: Names) -> bool:
    """Whether both have a name in the same language and these differ. The same word in the column of the other
    language is not a conflict.
    """
    theirs = forms_of(entity)
    for ours, other in ((names.en, entity.name_en), (names.ko, entity.name_ko)):
        mine, its = normalise_name(ours), normalise_name(other)
        if mine and its and mine not in theirs and its not in names.forms:
            return True
    return False
