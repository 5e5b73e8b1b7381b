"""The form in which the model answers: the fields of `AIInsights`, each value after the posts that it rests on.

Made from `AIInsights`, so that the two can't differ. A value of a single field is ``{"posts": [...], "value": ...}``; a
list holds such objects. A sensitive value also has ``quote``, the person's own words. `posts` holds the codes of posts,
or the marks `BIO` and `HIGHLIGHTS`. `subject` repeats the key of the question, because answers of batches were seen
under the keys of others. It has no bounds, which make Gemini refuse schemas; `AIInsights` has them.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from entity_pipeline.core.gemini.response_schema import lean_schema
from entity_pipeline.domains.influencers.insights.logic.ai_insights import GROUPS, SENSITIVE, is_list

BIO = "bio"  # the profile: biography, name, link, category
HIGHLIGHTS = "highlights"

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Wire(BaseModel):
    """The start of an answer; `wire_model` adds a field for each group."""

    model_config = _STRICT

    subject: str = Field(description="The key of the account, repeated.")


@cache
def wire_model() -> type[Wire]:
    """The pydantic model of an answer."""
    fields: dict[str, Any] = {
        group: (_group(group, model), Field(description=_words(model))) for group, model in GROUPS.items()
    }
    fields["notes"] = (_statement("Notes", str | None, has_quote=False), ...)
    fields["confidence"] = (float, Field(description="0 to 1"))
    return create_model("Answer", __base__=Wire, **fields)


@cache
def response_schema() -> Mapping[str, Any]:
    """The schema that is sent with a request."""
    return lean_schema(wire_model())


def _group(group: str, model: type[BaseModel]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        has_quote = group in SENSITIVE
        if is_list(group, name):
            fields[name] = (list[_statement(f"{group}_{name}", str, has_quote=has_quote)], ...)  # type: ignore[misc]
        else:
            kind = str | None if name == "primary_topic" else info.annotation
            fields[name] = (_statement(f"{group}_{name}", kind, has_quote=has_quote), ...)
    return create_model(group, __config__=_STRICT, **fields)


def _statement(name: str, kind: Any, *, has_quote: bool) -> type[BaseModel]:
    fields: dict[str, Any] = {"posts": (list[str], ...)}
    if has_quote:
        fields["quote"] = (str | None, ...)
    return create_model(name, __config__=_STRICT, **fields, value=(kind, ...))


def _words(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip()


def wire_answer(
    subject: str,
    insights: Mapping[str, Any],
    posts: Mapping[str, Any],
    quotes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An answer with these insights, as the model would write it: for samples and tests.

    `posts` has by path (``lifestyle.has_pets``, ``notes``) the posts of a value, or for a list one list per member;
    `quotes` the words behind sensitive values.
    """
    answer: dict[str, Any] = {"subject": subject}
    for group, model in GROUPS.items():
        values = insights.get(group, {})
        answer[group] = {}
        for name in model.model_fields:
            path = f"{group}.{name}"
            named = posts.get(path, [])
            if is_list(group, name):
                members = values.get(name, [])
                answer[group][name] = [
                    {"posts": named[nth] if nth < len(named) else [], "value": member}
                    for nth, member in enumerate(members)
                ]
                continue
            quote = {"quote": (quotes or {}).get(path)} if group in SENSITIVE else {}
            answer[group][name] = {"posts": named, **quote, "value": values.get(name)}
    answer["notes"] = {"posts": posts.get("notes", []), "value": insights.get("notes")}
    answer["confidence"] = insights["confidence"]
    return answer
