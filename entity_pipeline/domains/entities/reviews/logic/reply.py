"""From the text of a reply to a review: every failure is a named outcome, and nothing here raises.

This module decides which object in the text is the answer; its fields are read in `review_fields`, and the evidence of
the search in `grounding`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from entity_pipeline.core.gemini.reply_body import MAX_REPLY_CHARS, REFUSALS, ReplyBody
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.core.text.json_block import agreed, blocks, candidates, load_object
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.entities.models import Review
from entity_pipeline.domains.entities.reviews.logic.review_fields import read_review

_MAX_NOTES = 20
_MAX_SHOWN = 2_200


class UnparseableReason(StrEnum):
    """Why a reply gave no review."""

    NOT_A_REPLY = "not_a_reply"  # the body is not an object, or has no candidates
    PROMPT_BLOCKED = "prompt_blocked"
    REFUSED = "refused"  # finish reason SAFETY, RECITATION, PROHIBITED_CONTENT and the like
    MALFORMED = "malformed"  # the model tried to call a function
    NO_TEXT = "no_text"  # complete, and without a word
    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"  # the output limit was reached inside the JSON block or before it
    NO_JSON = "no_json"
    BROKEN_JSON = "broken_json"
    NOT_A_REVIEW = "not_a_review"
    WRONG_ACCOUNT = "wrong_account"
    QUOTES_THE_PROFILE = (
        "quotes_the_profile"  # its only review is quoted word for word from the profile or a caption
    )


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A validated review. `notes` (``field:what``) name the values that could not be used as written."""

    review: Review
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unparseable:
    """No review; `detail` is a sentence for people, `worth_repair` whether the text may still hold one."""

    reason: UnparseableReason
    detail: str
    worth_repair: bool


# A known fault of the model: the same question answers a minute later.
EMPTY_REPLIES = frozenset({UnparseableReason.NO_TEXT})

_COMPLETE = frozenset({"STOP", "FINISH_REASON_UNSPECIFIED"})
_FUNCTION_CALLS = frozenset(
    "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MALFORMED_RESPONSE".split()
)
_REVIEW_KEYS = frozenset(Review.model_fields)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def parse_reply(reply: ReplyBody, *, handle: str, shown: Iterable[str] = ()) -> ParsedReply | Unparseable:
    """Read the review of `handle` (normalised) from a reply to the review or to the repair call.

    A review that stands in one of the texts that the question showed, such as the bio, was written by a stranger, and
    is never used.
    """
    finish = _word(reply.finish or "STOP")
    if refused := _refused(reply, finish):
        return refused
    text = reply.text
    if not text.strip():
        return _empty(finish)
    if len(text) > MAX_REPLY_CHARS:
        return _no(UnparseableReason.TOO_LARGE, f"The reply holds more than {MAX_REPLY_CHARS:,} characters.")
    found = _find_review(text, [review for quoted in shown for review in _reviews_in(quoted)])
    if isinstance(found, UnparseableReason):
        if finish == "MAX_TOKENS":
            detail = "The reply reached the output limit before its JSON block ended."
            return _no(UnparseableReason.TRUNCATED, detail, worth_repair=True)
        return _no(found, _DETAILS[found], worth_repair=found is not UnparseableReason.QUOTES_THE_PROFILE)
    named = found.get("username")
    if named is not None and str(named).strip() and handle_or_none(named) != handle:
        detail = f"The reply is about another account, {one_line(str(named), 60)!r}."
        return _no(UnparseableReason.WRONG_ACCOUNT, detail)
    try:
        review, field_notes = read_review(found, handle)
    except ValidationError as error:
        detail = f"The review is not valid: {one_line(str(error.errors()[0]['msg']), 200)}."
        return _no(UnparseableReason.NOT_A_REVIEW, detail, worth_repair=True)
    notes = [] if finish in _COMPLETE else [f"finish_reason:{finish.lower()}"]
    return ParsedReply(review, tuple(dict.fromkeys([*notes, *field_notes]))[:_MAX_NOTES])


def _refused(reply: ReplyBody, finish: str) -> Unparseable | None:
    """The failure that the outer shape of the reply shows; None if its text may be an answer."""
    if reply.blocked:
        return _no(UnparseableReason.PROMPT_BLOCKED, f"Gemini refused the prompt: {_word(reply.blocked)}.")
    if not reply.has_candidate:
        return _no(UnparseableReason.NOT_A_REPLY, "The reply holds no candidate.")
    if finish in REFUSALS:
        return _no(UnparseableReason.REFUSED, f"Gemini stopped the answer: {finish}.")
    if finish in _FUNCTION_CALLS:
        return _no(UnparseableReason.MALFORMED, f"Gemini answered with a broken tool call: {finish}.")
    return None


def _empty(finish: str) -> Unparseable:
    if finish in _COMPLETE:
        return _no(UnparseableReason.NO_TEXT, f"The reply holds no text; it ended with {finish}.")
    if finish == "MAX_TOKENS":
        return _no(UnparseableReason.TRUNCATED, "The reply reached the output limit before its first word.")
    return _no(UnparseableReason.REFUSED, f"Gemini stopped the answer: {finish}.")


_DETAILS: Mapping[UnparseableReason, str] = {
    UnparseableReason.NO_JSON: "The reply holds no JSON block.",
    UnparseableReason.BROKEN_JSON: "The reply's JSON block can't be read.",
    UnparseableReason.NOT_A_REVIEW: "The reply's JSON block has none of the keys of a review.",
    UnparseableReason.QUOTES_THE_PROFILE: "The reply's JSON block is copied from the profile or a caption.",
}


def _reviews_in(shown: str) -> list[dict[str, Any]]:
    """The reviews, fenced or bare, that a text contains as the prompt shows it."""
    found = blocks(one_line(shown, _MAX_SHOWN))
    values = (load_object(block.json) for block in found if block.json is not None)
    return [fields for value in values if value is not None and (fields := _known(value))]


def _find_review(text: str, quotable: list[dict[str, Any]]) -> dict[str, Any] | UnparseableReason:
    outcome = UnparseableReason.NO_JSON
    for block in candidates(blocks(text)):
        value = load_object(block.json) if block.json is not None else None
        if value is None:
            if block.fenced or block.json is None:
                # An earlier object may be quoted from the profile, and must not replace the answer.
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


def _word(value: object) -> str:
    return one_line(value, 60).upper() if isinstance(value, str) else "UNREADABLE"


def _no(reason: UnparseableReason, detail: str, *, worth_repair: bool = False) -> Unparseable:
    return Unparseable(reason, detail, worth_repair)
