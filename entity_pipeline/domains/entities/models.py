"""Values that travel between the stages of the entities domain. Plain data, no behaviour beyond validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from entity_pipeline.core.jsonb import json_object

Confidence = Annotated[float, Field(ge=0, le=1)]


class AccountType(StrEnum):
    """What an account represents. A brand is a fashion product brand or a fashion retailer, nothing else."""

    ARTIST = "artist"
    BRAND = "brand"
    GROUP = "group"
    OTHER = "other"
    UNKNOWN = "unknown"


class AccountRole(StrEnum):
    """The role of an account among its entity's accounts."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    REGIONAL = "regional"
    UNKNOWN = "unknown"


class EntityField(StrEnum):
    """What an account's entity is known for. Only the first four make a brand."""

    CLOTHING = "clothing"
    SHOES_BAGS_ACCESSORIES = "shoes_bags_accessories"
    EYEWEAR_JEWELLERY_WATCHES = "eyewear_jewellery_watches"
    FASHION_RETAILER = "fashion_retailer"
    BEAUTY = "beauty"
    MEDIA = "media"
    TECHNOLOGY = "technology"
    CHARACTER = "character"
    FOOD = "food"
    CARS = "cars"
    HOSPITALITY = "hospitality"
    HOME = "home"
    SPORTS = "sports"
    MUSIC = "music"
    ACTING = "acting"
    MODELLING = "modelling"
    ENTERTAINMENT = "entertainment"
    OTHER = "other"
    UNKNOWN = "unknown"


FASHION_FIELDS = (
    EntityField.CLOTHING,
    EntityField.SHOES_BAGS_ACCESSORIES,
    EntityField.EYEWEAR_JEWELLERY_WATCHES,
    EntityField.FASHION_RETAILER,
)


def is_overruled(account_type: AccountType, field: EntityField | None) -> bool:
    """Whether the fashion-only rule makes an account `other`: a brand of a field that is not fashion."""
    return account_type is AccountType.BRAND and field not in (None, EntityField.UNKNOWN, *FASHION_FIELDS)


class FieldConfidence(BaseModel):
    """The model's own confidence per field; where it is absent, the overall one applies."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name_en: Confidence | None = None
    name_ko: Confidence | None = None
    account_type: Confidence | None = None
    account_role: Confidence | None = None
    field: Confidence | None = None
    primary_username: Confidence | None = None
    entity_region_code: Confidence | None = None
    country_of_origin: Confidence | None = None


class Review(BaseModel):
    """The model's normalised answer about one account. Unknown is null, never ``"NA"`` (that is Namibia)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name_en: str | None = None
    name_ko: str | None = None
    account_type: AccountType = AccountType.UNKNOWN
    field: EntityField | None = None  # None in reviews that were made before the model was asked for it
    account_role: AccountRole = AccountRole.UNKNOWN
    entity_region_code: str | None = None
    country_of_origin: str | None = None
    primary_username: str | None = None
    confidence: Confidence = 0.0
    field_confidence: FieldConfidence = FieldConfidence()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of the reply that a returned search chunk supports."""

    claim: str
    chunk: int
    uri: str
    title: str | None
    names_account: bool  # the sentence holds the handle or one of the reviewed names


class HandleTie(StrEnum):
    """What a reply's sentences with the handle say of whose account it is."""

    SUPPORTED = "supported"  # a sentence with the handle is tied to a source
    STATED = "stated"  # a sentence without a source says that the handle is the entity's
    DISOWNED = "disowned"  # a sentence calls it a fan's, unofficial or an imitation


@dataclass(frozen=True, slots=True)
class Grounding:
    """The evidence in the reply's `groundingMetadata`.

    `search_entry_point` is Google's search suggestions, untrusted HTML to show with the result.
    """

    grounded: bool  # at least one query was run and at least one chunk came back
    chunks: int
    supports: int
    evidence: Sequence[Evidence]
    search_queries: Sequence[str]
    search_entry_point: str | None = None
    handle_tie: HandleTie | None = None

    @property
    def supported(self) -> bool:
        """Whether a sentence that names the account is tied to a returned chunk."""
        return any(item.names_account for item in self.evidence)


class EntityTable(StrEnum):
    """The catalog tables."""

    ARTISTS = "artists"
    BRANDS = "brands"
    GROUPS = "groups"


TABLE_OF_TYPE: Mapping[AccountType, EntityTable] = {
    AccountType.ARTIST: EntityTable.ARTISTS,
    AccountType.BRAND: EntityTable.BRANDS,
    AccountType.GROUP: EntityTable.GROUPS,
}


@dataclass(frozen=True, slots=True)
class Account:
    """An `instagram_accounts` row for the decision. `links` maps a catalog table to the linked entity."""

    id: UUID
    username: str  # as stored; people's rows may carry capitals or an @
    handle: str | None  # normalised, or None if it can't be a handle
    name_en: str | None = None
    name_ko: str | None = None
    display_name: str | None = None
    bio: str | None = None
    profile_image_url: str | None = None
    account_type: str | None = None
    entity_ig_role: str | None = None
    entity_region_code: str | None = None
    is_active: bool = True
    links: Mapping[EntityTable, UUID] = field(default_factory=dict)
    enrichment: Mapping[str, Any] = field(default_factory=dict)  # metadata.entity_enrichment
    linked_entity: Mapping[str, Any] = field(default_factory=dict)  # name_en, name_ko, country_of_origin

    @property
    def profile_facts(self) -> Mapping[str, Any]:
        """What the profile page shows beside the columns: is_verified, follower_count, external_urls; maybe nothing."""
        return json_object(json_object(self.enrichment.get("profile_backfill")).get("facts"))


@dataclass(frozen=True, slots=True)
class Entity:
    """A row of `artists`, `brands` or `groups`. `image_url` is logo_image_url for brands."""

    table: EntityTable
    id: UUID
    name_en: str | None
    name_ko: str | None
    primary_account_id: UUID | None
    image_url: str | None = None
    country_of_origin: str | None = None  # brands only; None elsewhere and where it is 'NA'
    primary_username: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A review with its grounding and calibrated confidence; the input of the decision.

    `claims` are the sentences of the reply that name the account and are supported by a source.
    """

    review: Review
    confidence: float  # calibrated and capped
    grounded: bool
    chunks: int
    supported: bool
    claims: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()  # the sites of all evidence, as the search names them
    handle_tie: HandleTie | None = None
