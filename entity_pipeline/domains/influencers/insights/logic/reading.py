"""The reply to a question about a blog: a description, a refusal, or an answer that can't be read. Never raises.

A refusal is an outcome: asking again changes nothing. An unreadable answer is worth one more question; answers of
batches are cut off more often than others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from entity_pipeline.core.gemini.reply_body import MAX_REPLY_CHARS, REFUSALS, ReplyBody, read_body
from entity_pipeline.core.text.json_block import blocks, candidates, load_object
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.influencers.insights.logic.evidence import Sources, Supported, supported
from entity_pipeline.domains.influencers.insights.logic.wire import wire_model

# What the model recited once it seldom recites again.
_WORTH_ANOTHER = frozenset({"RECITATION", "IMAGE_RECITATION"})


class Fault(StrEnum):
    """Why an answer can't be read."""

    NO_TEXT = "no_text"
    TOO_LARGE = "too_large"
    CUT_OFF = "cut_off"  # the output limit was reached
    STOPPED = "stopped"  # by another finish reason, recitation among them
    BROKEN_JSON = "broken_json"
    OTHER_FORM = "other_form"  # a field is missing, or has another type
    OUT_OF_RANGE = "out_of_range"
    OTHER_SUBJECT = "other_subject"  # it answers about another account


@dataclass(frozen=True, slots=True)
class Refused:
    """Gemini refused to describe the blog; `detail` is a sentence."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The answer is not one; `detail` is a sentence."""

    fault: Fault
    detail: str


def read_answer(body: Mapping[str, Any], subject: str, sources: Sources) -> Supported | Refused | Unreadable:
    """Read a raw reply about the blog with the key `subject`."""
    reply = read_body(body)
    finish = one_line(reply.finish, 60).upper() if isinstance(reply.finish, str) else "STOP"
    if reply.blocked:
        return Refused(f"Gemini refused the question: {one_line(str(reply.blocked), 60)}.")
    if finish in REFUSALS - _WORTH_ANOTHER:
        return Refused(f"Gemini stopped the answer: {finish}.")
    if (fault := _no_answer(reply, finish)) is not None:
        return fault
    found = next(candidates(blocks(reply.text)), None)
    answer = load_object(found.json) if found is not None and found.json is not None else None
    if answer is None:
        return Unreadable(Fault.BROKEN_JSON, "The answer is not a JSON object.")
    return _supported(answer, subject, sources)


def _supported(answer: dict[str, Any], subject: str, sources: Sources) -> Supported | Unreadable:
    try:
        wire_model().model_validate(answer)
    except ValidationError as error:
        return Unreadable(Fault.OTHER_FORM, f"The answer has another form: {_first(error)}.")
    if answer["subject"].strip() != subject:
        return Unreadable(Fault.OTHER_SUBJECT, "The answer is about another account.")
    try:
        return supported(answer, sources)
    except ValidationError as error:
        return Unreadable(Fault.OUT_OF_RANGE, f"A value is out of range: {_first(error)}.")


def _no_answer(reply: ReplyBody, finish: str) -> Unreadable | None:
    if finish == "MAX_TOKENS":
        return Unreadable(Fault.CUT_OFF, "The answer reached the output limit before its end.")
    if finish not in ("STOP", "FINISH_REASON_UNSPECIFIED"):
        return Unreadable(Fault.STOPPED, f"Gemini stopped the answer: {finish}.")
    if not reply.text.strip():
        return Unreadable(Fault.NO_TEXT, "The answer holds no text.")
    if len(reply.text) > MAX_REPLY_CHARS:
        return Unreadable(Fault.TOO_LARGE, f"The answer holds more than {MAX_REPLY_CHARS:,} characters.")
    return None


def _first(error: ValidationError) -> str:
    """The first problem without the value, which the model wrote."""
    problem = error.errors(include_url=False, include_input=False)[0]
    return one_line(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}", 200)
