"""From the raw generateContent body to a review: a ladder whose every rung ends in a named outcome.

Surprising: nothing here raises, whatever the body is, and a value outside the known sets is never an error.
It becomes unknown with a note, because a review with a gap is worth keeping and a guess is not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from entity_pipeline.core.gemini.reply_body import MAX_REPLY_CHARS, first_candidate, reply_text
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.core.text.json_block import (
    agreed,
    blocks,
    candidates,
    load_object,
    without_citations,
)
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.entities.models import AccountRole, FieldConfidence, Review
from entity_pipeline.domains.entities.reviews.logic.confidence import read_confidence
from entity_pipeline.domains.entities.reviews.logic.countries import read_country
from entity_pipeline.domains.entities.reviews.logic.labels import read_role, read_type
from entity_pipeline.domains.entities.reviews.logic.reviewed_names import read_names

MAX_REASONING = 1_000
_MAX_NOTES = 20
_MAX_BIO = 2_200


class UnparseableReason(StrEnum):
    """Why a reply gave no review."""

    NOT_A_REPLY = "not_a_reply"  # the body is no object, or has no candidates
    PROMPT_BLOCKED = "prompt_blocked"
    REFUSED = "refused"  # finish reason SAFETY, RECITATION, PROHIBITED_CONTENT and the like
    MALFORMED = "malformed"  # the model tried to call a function
    NO_TEXT = "no_text"
    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"  # the output limit was reached inside the JSON block or before it
    NO_JSON = "no_json"
    BROKEN_JSON = "broken_json"
    NOT_A_REVIEW = "not_a_review"
    WRONG_ACCOUNT = "wrong_account"
    QUOTES_THE_PROFILE = "quotes_the_profile"  # the only review in it is one that the bio holds word for word


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A validated review. `notes` (``field:what``) say which values were not usable as written."""

    review: Review
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unparseable:
    """No review; `detail` is a sentence for a person, `worth_repair` whether the text may still hold one."""

    reason: UnparseableReason
    detail: str
    worth_repair: bool


_REFUSALS = frozenset(
    "SAFETY RECITATION PROHIBITED_CONTENT BLOCKLIST SPII LANGUAGE IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT "
    "IMAGE_RECITATION".split()
)
_FUNCTION_CALLS = frozenset(
    "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MALFORMED_RESPONSE".split()
)
_REVIEW_KEYS = frozenset(Review.model_fields)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def parse_reply(body: object, *, handle: str, bio: str | None = None) -> ParsedReply | Unparseable:
    """Read the review of `handle` (normalised) from a raw body of the review or of the repair call.

    A review that stands in the profile's own `bio` is what its owner wants to be said, and is never taken.
    """
    blocked = json_object(json_object(body).get("promptFeedback")).get("blockReason")
    if blocked:
        return _no(UnparseableReason.PROMPT_BLOCKED, f"Gemini refused the prompt: {_word(blocked)}.")
    candidate = first_candidate(body)
    if candidate is None:
        return _no(UnparseableReason.NOT_A_REPLY, "The reply holds no candidate.")
    finish = _word(candidate.get("finishReason") or "STOP")
    if finish in _REFUSALS:
        return _no(UnparseableReason.REFUSED, f"Gemini stopped the answer: {finish}.")
    if finish in _FUNCTION_CALLS:
        return _no(UnparseableReason.MALFORMED, f"Gemini answered with a broken tool call: {finish}.")
    text = reply_text(body)
    if not text.strip():
        return _no(UnparseableReason.NO_TEXT, f"The reply holds no text; it ended with {finish}.")
    if len(text) > MAX_REPLY_CHARS:
        return _no(UnparseableReason.TOO_LARGE, f"The reply holds more than {MAX_REPLY_CHARS:,} characters.")
    found = _find_review(text, _reviews_in(bio))
    if isinstance(found, UnparseableReason):
        if finish == "MAX_TOKENS":
            detail = "The reply reached the output limit before its JSON block ended."
            return _no(UnparseableReason.TRUNCATED, detail, worth_repair=True)
        return _no(found, _DETAILS[found], worth_repair=found is not UnparseableReason.QUOTES_THE_PROFILE)
    named = found.get("username")
    if named is not None and str(named).strip() and handle_or_none(named) != handle:
        detail = f"The reply is about another account, {one_line(str(named), 60)!r}."
        return _no(UnparseableReason.WRONG_ACCOUNT, detail)
    notes = [] if finish in ("STOP", "FINISH_REASON_UNSPECIFIED") else [f"finish_reason:{finish.lower()}"]
    return _review(found, handle, notes)


_DETAILS: Mapping[UnparseableReason, str] = {
    UnparseableReason.NO_JSON: "The reply holds no JSON block.",
    UnparseableReason.BROKEN_JSON: "The reply's JSON block can't be read.",
    UnparseableReason.NOT_A_REVIEW: "The reply's JSON block has none of the keys of a review.",
    UnparseableReason.QUOTES_THE_PROFILE: "The reply's JSON block is copied from the account's own bio.",
}


def _reviews_in(bio: str | None) -> list[dict[str, Any]]:
    """The bio as the prompt shows it may hold whole reviews, fenced or bare."""
    found = blocks(one_line(bio, _MAX_BIO)) if bio else []
    values = (load_object(block.json) for block in found if block.json is not None)
    return [fields for value in values if value is not None and (fields := _known(value))]


def _find_review(text: str, quotable: list[dict[str, Any]]) -> dict[str, Any] | UnparseableReason:
    outcome = UnparseableReason.NO_JSON
    for block in candidates(blocks(text)):
        value = load_object(block.json) if block.json is not None else None
        if value is None:
            if block.fenced or block.json is None:
                # An earlier object may be a quotation from the profile; it must not stand in for the answer.
                return UnparseableReason.BROKEN_JSON
            outcome = UnparseableReason.BROKEN_JSON
            continue
        fields = _known(value)
        if fields and fields in quotable:
            outcome = UnparseableReason.QUOTES_THE_PROFILE
            continue
        if fields:
            return fields
        outcome = UnparseableReason.NOT_A_REVIEW
    return outcome


def _known(value: Mapping[str, Any]) -> dict[str, Any]:
    """The review's own keys in their own spelling, looking one level down if the object is only a wrapper."""
    fields = _own_keys(value)
    if not _REVIEW_KEYS & fields.keys() and len(value) == 1:
        fields = _own_keys(json_object(next(iter(value.values()))))
    return fields if _REVIEW_KEYS & fields.keys() else {}


def _own_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, item in value.items():
        spelled = _CAMEL.sub("_", key[:60]).replace("-", "_").replace(" ", "_").lower()
        if spelled in _REVIEW_KEYS or spelled == "username":
            fields[spelled] = item if spelled not in fields else agreed(fields[spelled], item)
    return fields


def _review(fields: Mapping[str, Any], handle: str, notes: list[str]) -> ParsedReply | Unparseable:
    def noted(field: str, reading: tuple[Any, str | None]) -> Any:
        if reading[1] is not None:
            notes.append(f"{field}:{reading[1]}")
        return reading[0]

    name_en, name_ko, name_notes = read_names(fields.get("name_en"), fields.get("name_ko"))
    notes.extend(name_notes)
    role = noted("account_role", read_role(fields.get("account_role")))
    region = noted("entity_region_code", _certain(read_country(fields.get("entity_region_code"))))
    confidence = noted("confidence", read_confidence(fields.get("confidence")))
    if confidence is None:
        notes.append("confidence:missing")
    per_field = json_object(fields.get("field_confidence"))
    values = {
        "name_en": name_en,
        "name_ko": name_ko,
        "account_type": noted("account_type", read_type(fields.get("account_type"))),
        "account_role": role,
        "entity_region_code": noted("entity_region_code", _region(region, role)),
        "country_of_origin": noted("country_of_origin", read_country(fields.get("country_of_origin"))),
        "primary_username": noted("primary_username", _primary(fields.get("primary_username"), role, handle)),
        "confidence": confidence or 0.0,
        "field_confidence": {
            name: noted(f"field_confidence.{name}", read_confidence(per_field.get(name)))
            for name in FieldConfidence.model_fields
        },
        "reasoning": _reasoning(fields.get("reasoning")),
    }
    try:
        review = Review.model_validate(values)
    except ValidationError as error:
        detail = f"The review is not valid: {one_line(str(error.errors()[0]['msg']), 200)}."
        return _no(UnparseableReason.NOT_A_REVIEW, detail, worth_repair=True)
    return ParsedReply(review, tuple(dict.fromkeys(notes))[:_MAX_NOTES])


def _certain(reading: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    """A region ``NA`` is as likely North America."""
    return (None, reading[1]) if reading[1] == "ambiguous_na" else reading


def _region(code: str | None, role: AccountRole) -> tuple[str | None, str | None]:
    if role is AccountRole.REGIONAL:
        return code, None if code else "regional_without_region"
    return None, "not_regional" if code else None


def _primary(value: object, role: AccountRole, handle: str) -> tuple[str | None, str | None]:
    if not isinstance(value, str) or value.strip().casefold() in ("", "null", "none", "unknown", "n/a", "na"):
        return None, None if value is None or isinstance(value, str) else "not_text"
    if role not in (AccountRole.SECONDARY, AccountRole.REGIONAL):
        return None, "not_kept_for_role"
    username = handle_or_none(value)
    if username is None:
        return None, "not_a_handle"
    return (None, "is_the_account_itself") if username == handle else (str(username), None)


def _reasoning(value: object) -> str:
    return one_line(without_citations(value[:20_000]), MAX_REASONING) if isinstance(value, str) else ""


def _word(value: object) -> str:
    return one_line(value, 60).upper() if isinstance(value, str) else "UNREADABLE"


def _no(reason: UnparseableReason, detail: str, *, worth_repair: bool = False) -> Unparseable:
    return Unparseable(reason, detail, worth_repair)
