"""Made-up accounts, reviews and entities for the catalog rules. Every default makes a perfect case."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from entity_pipeline.domains.entities.models import (
    Account,
    AccountRole,
    AccountType,
    Entity,
    EntityTable,
    FieldConfidence,
    Review,
    Verdict,
)

_SPACE = UUID("00000000-0000-4000-8000-000000000001")

WHAT_IT_IS = {
    AccountType.ARTIST: "South Korean singer",
    AccountType.BRAND: "clothing brand from Seoul",
    AccountType.GROUP: "South Korean girl group",
    AccountType.OTHER: "fashion magazine",
    AccountType.UNKNOWN: "registered company",
}


def some_id(name: str) -> UUID:
    """The same id for the same name."""
    return uuid5(_SPACE, name)


def an_account(**changes: Any) -> Account:
    """An untouched account `madeup.seoul`."""
    values: dict[str, Any] = {"id": some_id("account"), "username": "madeup.seoul", "handle": "madeup.seoul"}
    return Account(**(values | changes))


def a_review(**changes: Any) -> Review:
    """A primary brand account with both names; `sure` is the confidence per field."""
    sure: Mapping[str, float] = changes.pop("sure", {})
    values: dict[str, Any] = {
        "name_en": "Madeup Seoul",
        "name_ko": "메이드업",
        "account_type": AccountType.BRAND,
        "account_role": AccountRole.PRIMARY,
        "confidence": 0.97,
        "field_confidence": FieldConfidence(**sure),
    }
    return Review(**(values | changes))


def a_verdict(review: Review | None = None, **changes: Any) -> Verdict:
    """An honest and confident verdict, with a sentence that proves account and type."""
    review = review or a_review()
    values: dict[str, Any] = {"confidence": 0.97, "grounded": True, "chunks": 3, "supported": True}
    values["claims"] = (f"Madeup Seoul (@madeup.seoul) is a {WHAT_IT_IS[review.account_type]}.",)
    return Verdict(review=review, **(values | changes))


def an_entity(table: EntityTable = EntityTable.BRANDS, name: str = "entity", **changes: Any) -> Entity:
    """An entity with the review's names and no account."""
    values: dict[str, Any] = {"name_en": "Madeup Seoul", "name_ko": "메이드업", "primary_account_id": None}
    return Entity(table=table, id=some_id(name), **(values | changes))
