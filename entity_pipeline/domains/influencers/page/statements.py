"""The insights of a blog as statements, each with what it rests on. Pure, and prepared for JSON of any form.

A mark of the evidence is the code of a post, or names the profile or the highlights. What no code can be is left out,
so that no link leads elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from entity_pipeline.admin.shown import Shown
from entity_pipeline.admin.stored_values import text, texts
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.influencers.insights.logic.ai_insights import GROUPS, said
from entity_pipeline.domains.influencers.insights.logic.evidence import NOTES
from entity_pipeline.domains.influencers.insights.logic.wire import BIO, HIGHLIGHTS
from entity_pipeline.domains.influencers.page.addresses import post_address


class Mark(Shown):
    """What a statement rests on: a post by its code and address, or the profile or the highlights."""

    name: str = Field(description="The code of a post, `bio` or `highlights`.")
    address: str | None


class Value(Shown):
    """One value of a field: a word, or a truth."""

    value: str | bool
    marks: list[Mark]


class Statement(Shown):
    """A field that the model filled, such as `has_pets`; `quote` has the person's own words behind a sensitive one."""

    field: str
    values: list[Value]
    quote: str | None


class StatementGroup(Shown):
    """The statements about one subject, such as `lifestyle`."""

    group: str
    statements: list[Statement]


class Dropped(Shown):
    """A statement that was not stored because it rests on nothing."""

    field: str
    value: str | None
    why: str


def statements_of(insights: object, meta: object) -> list[StatementGroup]:
    """The groups that have a statement, in the order of the schema."""
    stored, record = json_object(insights), json_object(meta)
    evidence, quotes = json_object(record.get("evidence")), json_object(record.get("quotes"))
    values = said(stored)
    found = []
    for group, model in GROUPS.items():
        statements = [
            Statement(
                field=name,
                values=_values(values[path], evidence.get(path)),
                quote=text(quotes.get(path)),
            )
            for name in model.model_fields
            if (path := f"{group}.{name}") in values
        ]
        if statements := [one for one in statements if one.values]:
            found.append(StatementGroup(group=group, statements=statements))
    return found


def notes_of(insights: object, meta: object) -> Value | None:
    """The notes with what they rest on; None without any."""
    words = text(json_object(insights).get(NOTES))
    if words is None:
        return None
    return Value(value=words, marks=_marks(json_object(json_object(meta).get("evidence")).get(NOTES)))


def dropped_of(meta: object) -> list[Dropped]:
    """The statements that were left out."""
    listed = json_object(meta).get("dropped")
    items: Sequence[Any] = listed if isinstance(listed, list) else []
    return [
        Dropped(
            field=text(item.get("field")) or "?",
            value=text(item.get("value")),
            why=text(item.get("why")) or "?",
        )
        for item in items
        if isinstance(item, Mapping)
    ]


def _values(value: object, evidence: object) -> list[Value]:
    if isinstance(value, list):
        of_member = json_object(evidence)
        return [Value(value=word, marks=_marks(of_member.get(word))) for word in texts(value)]
    if isinstance(value, bool):
        return [Value(value=value, marks=_marks(evidence))]
    word = text(value)
    return [] if word is None else [Value(value=word, marks=_marks(evidence))]


def _marks(named: object) -> list[Mark]:
    marks = (
        Mark(name=name, address=post_address(name)) for name in texts(named) if name not in (BIO, HIGHLIGHTS)
    )
    profile = [Mark(name=name, address=None) for name in (BIO, HIGHLIGHTS) if name in texts(named)]
    return [*profile, *(mark for mark in marks if mark.address is not None)]
