"""`AIInsights`: what is stored of a blog in `blogs.ai_insights`. Unknown is null, or an empty list.

The values are what the model says; what each rests on is in `insights_meta` (`evidence.py`). The form in which the
model answers is in `wire.py`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "1"  # of this model and of the wire's; raise it when either changes its meaning

Level = Literal["budget", "middle", "premium", "luxury"]
Word = Annotated[str, Field(min_length=1, max_length=80)]

LONGEST_WORD = 80
MOST_MEMBERS = 10
LONGEST_NOTES = 600


class Part(BaseModel):
    """Nothing is converted, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LifeSituation(Part):
    """Sensitive: only what the person has stated."""

    has_children: bool | None = None
    children_age_group: Literal["baby", "toddler", "school", "teen"] | None = None
    relationship_status: Literal["married", "in_relationship", "single"] | None = None
    is_young_parent: bool | None = None


class Lifestyle(Part):
    """What the posts show of the way of life."""

    has_car: bool | None = None
    car_class: Level | None = None
    travels_frequently: bool | None = None
    travel_style: Level | None = None
    has_pets: bool | None = None
    pet_types: Annotated[list[Word], Field(max_length=MOST_MEMBERS)] = Field(default_factory=list)
    has_real_estate: bool | None = None
    lifestyle_level: Level | None = None


class Content(Part):
    """Topics, languages and tone."""

    primary_topic: Word | None = None
    secondary_topics: Annotated[list[Word], Field(max_length=MOST_MEMBERS)] = Field(default_factory=list)
    content_language: Annotated[list[Word], Field(max_length=MOST_MEMBERS)] = Field(default_factory=list)
    content_tone: Literal["positive", "neutral", "educational", "humor", "inspirational"] | None = None
    posts_in_russian: bool | None = None
    posts_in_kazakh: bool | None = None


class Commercial(Part):
    """Advertising."""

    has_brand_collaborations: bool | None = None
    detected_brand_categories: Annotated[list[Word], Field(max_length=MOST_MEMBERS)] = Field(
        default_factory=list
    )
    has_affiliate_links: bool | None = None
    ad_frequency: Literal["rare", "moderate", "frequent"] | None = None


class AudienceInference(Part):
    """A guess about the readers; Instagram shows a blog's audience only to its owner."""

    estimated_audience_gender: Literal["mostly_female", "mostly_male", "mixed"] | None = None
    estimated_audience_age: Literal["18-24", "25-34", "35-44", "mixed"] | None = None
    estimated_audience_geo: Literal["kz", "ru", "uz", "cis_mixed"] | None = None
    geo_mentions: Annotated[list[Word], Field(max_length=MOST_MEMBERS)] = Field(default_factory=list)


class AIInsights(Part):
    """The description of one blog."""

    life_situation: LifeSituation = Field(default_factory=LifeSituation)
    lifestyle: Lifestyle = Field(default_factory=Lifestyle)
    content: Content = Field(default_factory=Content)
    commercial: Commercial = Field(default_factory=Commercial)
    audience_inference: AudienceInference = Field(default_factory=AudienceInference)
    confidence: Annotated[float, Field(ge=0, le=1)]
    notes: Annotated[str, Field(min_length=1, max_length=LONGEST_NOTES)] | None = None


GROUPS: Mapping[str, type[Part]] = {
    "life_situation": LifeSituation,
    "lifestyle": Lifestyle,
    "content": Content,
    "commercial": Commercial,
    "audience_inference": AudienceInference,
}
SENSITIVE = frozenset({"life_situation"})


def is_list(group: str, name: str) -> bool:
    """Whether a field holds several values."""
    return GROUPS[group].model_fields[name].default_factory is list


def said(insights: Mapping[str, Any]) -> dict[str, Any]:
    """The values of stored insights by path, such as ``lifestyle.has_pets``; unknown ones are left out."""
    found: dict[str, Any] = {}
    for group, model in GROUPS.items():
        values = insights.get(group)
        for name in model.model_fields:
            value = values.get(name) if isinstance(values, Mapping) else None
            if value is not None and value != []:
                found[f"{group}.{name}"] = value
    return found
