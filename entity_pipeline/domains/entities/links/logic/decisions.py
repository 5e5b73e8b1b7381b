"""The input of a decision about one account, and its possible results. Plain values, no rules.

The columns of a decision are wishes: `shared/audit/provenance.py` decides which of them a person's value overrides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any
from uuid import UUID

from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import Account, AccountRole, AccountType, Entity, EntityTable

LINK_COLUMN: Mapping[EntityTable, str] = {
    EntityTable.ARTISTS: "artist_id",
    EntityTable.BRANDS: "brand_id",
    EntityTable.GROUPS: "group_id",
}


EntityKey = tuple[EntityTable, UUID]


@dataclass(frozen=True, slots=True)
class PrimaryAccount:
    """The account that `primary_username` names, and the entities it belongs to, itself as primary or as another."""

    id: UUID
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows of the catalog that concern one account.

    `linked`: entities the account points at or that point at it. `matches`: entities of the review's type that have
    one of its names; `near`: those whose name is nearly one of them; `elsewhere`: those of another type that have one.
    `ours`: the values of our own last write to the account's columns. `twins`: other rows with the same handle.
    """

    linked: tuple[Entity, ...] = ()
    matches: tuple[Entity, ...] = ()
    near: tuple[Entity, ...] = ()
    elsewhere: tuple[Entity, ...] = ()
    primary: PrimaryAccount | None = None
    ours: Mapping[str, Any] = field(default_factory=dict)
    twins: tuple[UUID, ...] = ()


def links_of(account: Account, linked: Iterable[Entity]) -> frozenset[EntityKey]:
    """The entities an account belongs to, from either side; `linked` are those that point at it."""
    return frozenset({(item.table, item.id) for item in linked} | set(account.links.items()))


@dataclass(frozen=True, slots=True)
class AccountWish:
    """The wished values of `instagram_accounts`, by column; None leaves a column alone."""

    account_type: AccountType | None = None
    entity_ig_role: AccountRole | None = None
    entity_region_code: str | None = None
    name_en: str | None = None
    name_ko: str | None = None

    def columns(self) -> dict[str, str]:
        """The wished columns as plain text."""
        pairs = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: str(value) for name, value in pairs if value is not None}


@dataclass(frozen=True, slots=True)
class EntityWish:
    """The wished values of the entity; None leaves a column alone. `country_of_origin` is for brands only."""

    primary_account_id: UUID
    name_en: str | None = None
    name_ko: str | None = None
    image_url: str | None = None
    country_of_origin: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The account is the primary one of an existing entity."""

    table: EntityTable
    entity_id: UUID
    account: AccountWish
    entity: EntityWish


@dataclass(frozen=True, slots=True)
class Create:
    """The account is the primary one of an entity that is not in the catalog yet."""

    table: EntityTable
    account: AccountWish
    entity: EntityWish


@dataclass(frozen=True, slots=True)
class Attach:
    """The account is another account of an existing entity; the entity itself is not changed."""

    table: EntityTable
    entity_id: UUID
    account: AccountWish


class FactKind(StrEnum):
    """What the text of a fact is."""

    ENTITY = "entity"  # the names of a row of the catalog
    PRIMARY = "primary"  # the username of the primary account of the entity before it
    ACCOUNT = "account"  # the handle of another account
    STORED = "stored"  # what a person wrote
    REVIEWED = "reviewed"  # what the review says
    CONFIDENCE = "confidence"
    THRESHOLD = "threshold"
    SAID = "said"  # the message of the database that refused the write


@dataclass(frozen=True, slots=True)
class Fact:
    """A value that a person must compare to settle a hold."""

    kind: FactKind
    text: str
    table: EntityTable | None = None
    id: UUID | None = None

    def to_json(self) -> dict[str, str]:
        """The stored form; what is None is left out."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}


Facts = Mapping[HoldReason, tuple[Fact, ...]]


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is linked. `account` is the classification to write nevertheless, if it is certain."""

    reasons: tuple[HoldReason, ...]
    account: AccountWish | None = None
    facts: Facts = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Exclude:
    """The account is proven to be none of artist, brand and group: finished, with its classification written."""

    account: AccountWish


Decision = Link | Create | Attach | Exclude | Hold
