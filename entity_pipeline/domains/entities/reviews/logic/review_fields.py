"""From the fields of the answer's JSON object to a review: each group of fields is read once, in order.

A value outside the known sets is never an error. It becomes unknown with a note, because a review with a gap is useful
and a guess is not.
"""

from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.core.text.json_block import without_citations
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.entities.models import AccountRole, Review, is_overruled
from entity_pipeline.domains.entities.reviews.logic.confidence import read_confidences
from entity_pipeline.domains.entities.reviews.logic.countries import read_countries
from entity_pipeline.domains.entities.reviews.logic.labels import read_field, read_labels
from entity_pipeline.domains.entities.reviews.logic.reviewed_names import read_names

MAX_REASONING = 1_000
_NO_PRIMARY = ("", "null", "none", "unknown", "n/a", "na")


def read_review(fields: Mapping[str, Any], handle: str) -> tuple[Review, list[str]]:
    """The review and its notes (``field:what``).

    Raises:
        ValidationError: the values are readable but do not form a valid review together.
    """
    name_en, name_ko, name_notes = read_names(fields.get("name_en"), fields.get("name_ko"))
    account_type, role, label_notes = read_labels(fields.get("account_type"), fields.get("account_role"))
    field, field_note = read_field(fields.get("field"))
    if field_note is not None:
        label_notes.append(f"field:{field_note}")
    if is_overruled(account_type, field):
        label_notes.append(f"account_type:other_by_field_{field}")
    region, origin, country_notes = read_countries(
        fields.get("entity_region_code"),
        fields.get("country_of_origin"),
        is_regional=role is AccountRole.REGIONAL,
    )
    confidence, by_field, confidence_notes = read_confidences(
        fields.get("confidence"), fields.get("field_confidence")
    )
    primary, primary_notes = _primary(fields.get("primary_username"), role, handle)
    review = Review.model_validate(
        {
            "name_en": name_en,
            "name_ko": name_ko,
            "account_type": account_type,
            "account_role": role,
            "field": field,
            "entity_region_code": region,
            "country_of_origin": origin,
            "primary_username": primary,
            "confidence": confidence or 0.0,
            "field_confidence": by_field,
            "reasoning": _reasoning(fields.get("reasoning")),
        }
    )
    return review, [*name_notes, *label_notes, *country_notes, *confidence_notes, *primary_notes]


def _primary(value: object, role: AccountRole, handle: str) -> tuple[str | None, list[str]]:
    if not isinstance(value, str) or value.strip().casefold() in _NO_PRIMARY:
        return None, [] if value is None or isinstance(value, str) else ["primary_username:not_text"]
    if role not in (AccountRole.SECONDARY, AccountRole.REGIONAL):
        return None, ["primary_username:not_kept_for_role"]
    username = handle_or_none(value)
    if username is None:
        return None, ["primary_username:not_a_handle"]
    if username == handle:
        return None, ["primary_username:is_the_account_itself"]
    return str(username), []


def _reasoning(value: object) -> str:
    return one_line(without_citations(value[:20_000]), MAX_REASONING) if isinstance(value, str) else ""
