"""Answers to labelled accounts, made by hand, for the tests of the evaluation."""

from dataclasses import replace
from typing import Any

from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.domains.entities.evaluation.logic.judging import LabelledAnswer
from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.reviews.logic.grounding import assess_grounding
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply, parse_reply
from entity_pipeline_tests.domains.entities.review_bodies import grounded_body


def answer(
    handle: str, truth: str, said: str = "", *, grounded: bool = True, kind: str = "", **review: Any
) -> LabelledAnswer:
    """The reviewed account; `said` is the type when it is not the labelled one."""
    body = grounded_body(handle, **{"account_type": said or truth, "field_confidence": {}, **review})
    if not grounded:
        del body["candidates"][0]["groundingMetadata"]
    reply = read_body(body)
    parsed = parse_reply(reply, handle=handle)
    assert isinstance(parsed, ParsedReply), parsed
    names = [parsed.review.name_en, parsed.review.name_ko]
    proof = assess_grounding(reply, handle=handle, names=names)
    return LabelledAnswer(Labelled(handle, AccountType(truth), kind), "reviewed", parsed.review, proof)


def many(count: int, truth: str, said: str = "", *, start: str = "", **review: Any) -> list[LabelledAnswer]:
    """So many accounts with the same answer."""
    first = answer("first", truth, said, **review)
    return [named(first, f"{start or truth}.{number}") for number in range(count)]


def named(item: LabelledAnswer, handle: str) -> LabelledAnswer:
    """The same answer about another account."""
    return replace(item, labelled=replace(item.labelled, handle=handle))
