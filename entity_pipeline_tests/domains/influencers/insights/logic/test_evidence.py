"""Only what rests on something that was sent is kept."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.gemini.reply_body import REFUSALS
from entity_pipeline.domains.influencers.insights.logic.ai_insights import GROUPS, AIInsights, said
from entity_pipeline.domains.influencers.insights.logic.evidence import Sources, Supported, supported
from entity_pipeline.domains.influencers.insights.logic.reading import (
    Fault,
    Refused,
    Unreadable,
    read_answer,
)
from entity_pipeline.domains.influencers.insights.logic.wire import (
    response_schema,
    wire_answer,
    wire_model,
)

SOURCES = Sources(posts={"C1": "Our  Cat sleeps", "C2": "моя дочка пошла в школу"}, bio="Mom of two, Almaty")
WITH_HIGHLIGHTS = Sources(posts={}, bio="", highlights="Wedding day Travel")


def kept(
    insights: dict[str, Any],
    posts: dict[str, Any],
    quotes: dict[str, str] | None = None,
    sources: Sources = SOURCES,
) -> Supported:
    answer = wire_answer("key", {"confidence": 0.5, **insights}, posts, quotes)
    wire_model().model_validate(answer)
    return supported(answer, sources)


@pytest.mark.parametrize(
    ("marks", "left", "why"),
    [
        (["C1"], ["C1"], None),
        (["C1", "C1", "nope", " C2 "], ["C1", "C2"], None),
        (["bio"], ["bio"], None),
        ([], None, "names_no_post"),
        (["nope"], None, "names_posts_that_were_not_sent"),
        (["highlights"], None, "names_posts_that_were_not_sent"),
        (["c1"], None, "names_posts_that_were_not_sent"),
    ],
)
def test_a_statement_needs_something_that_was_sent(
    marks: list[str], left: list[str] | None, why: str | None
) -> None:
    found = kept({"lifestyle": {"has_pets": True}}, {"lifestyle.has_pets": marks})
    assert found.insights.lifestyle.has_pets is (True if left else None)
    assert found.evidence == ({"lifestyle.has_pets": left} if left else {})
    assert [one["why"] for one in found.dropped] == ([why] if why else [])


@pytest.mark.parametrize(
    ("marks", "quote", "left"),
    [
        (["bio"], "mom of TWO", ["bio"]),
        (["bio", "C2"], "моя дочка", ["C2"]),
        (["C1"], "mom of two", None),
        (["bio"], "mother of two", None),
        (["bio"], None, None),
        (["bio"], "", None),
        (["bio"], "o", None),
    ],
)
def test_a_sensitive_statement_needs_the_persons_own_words_in_what_it_names(
    marks: list[str], quote: str | None, left: list[str] | None
) -> None:
    path = "life_situation.has_children"
    found = kept({"life_situation": {"has_children": True}}, {path: marks}, {path: quote} if quote else {})
    assert found.insights.life_situation.has_children is (True if left else None)
    assert found.evidence.get(path) == left
    assert (path in found.quotes) is bool(left)
    assert all("value" not in one for one in found.dropped), "a private matter without proof is not kept"


def test_highlights_may_be_named_where_they_were_sent() -> None:
    path = "life_situation.relationship_status"
    found = kept(
        {"life_situation": {"relationship_status": "married"}},
        {path: ["highlights"]},
        {path: "wedding day"},
        WITH_HIGHLIGHTS,
    )
    assert found.insights.life_situation.relationship_status == "married"


def test_lists_lose_unsupported_and_doubled_members_and_are_cut() -> None:
    words = ["cat", "Cat", "dragon", " ", *(f"pet {nth}" for nth in range(20)), "x" * 200]
    marks = [["C1"], ["C1"], [], ["C1"], *([["C1"]] * 20), ["C1"]]
    found = kept({"lifestyle": {"pet_types": words}}, {"lifestyle.pet_types": marks})
    assert found.insights.lifestyle.pet_types[:2] == ["cat", "pet 0"]
    assert len(found.insights.lifestyle.pet_types) == 10
    assert {one["why"] for one in found.dropped} == {"names_no_post", "empty", "too_many"}
    assert found.evidence["lifestyle.pet_types"]["cat"] == ["C1"]


def test_long_texts_are_cut_to_one_line() -> None:
    found = kept({"notes": "a\nb " * 1_000}, {"notes": ["C1"]})
    assert found.insights.notes is not None
    assert len(found.insights.notes) <= 600
    assert "\n" not in found.insights.notes


def test_the_schema_names_every_field_and_has_evidence_first_and_no_bounds() -> None:
    schema = response_schema()
    assert schema["propertyOrdering"] == ["subject", *GROUPS, "notes", "confidence"]
    for group, model in GROUPS.items():
        fields = schema["properties"][group]["properties"]
        assert list(fields) == list(model.model_fields)
        for field in fields.values():
            one = field.get("items", field)
            assert one["propertyOrdering"][0] == "posts"
            assert one["propertyOrdering"][-1] == "value"
    text = json.dumps(schema)
    assert not any(bound in text for bound in ("maxItems", "maxLength", "minimum", "additional", "$ref"))


def test_the_strict_model_is_that_of_the_requirements() -> None:
    assert {name: list(model.model_fields) for name, model in GROUPS.items()} == {
        "life_situation": ["has_children", "children_age_group", "relationship_status", "is_young_parent"],
        "lifestyle": [
            "has_car",
            "car_class",
            "travels_frequently",
            "travel_style",
            "has_pets",
            "pet_types",
            "has_real_estate",
            "lifestyle_level",
        ],
        "content": [
            "primary_topic",
            "secondary_topics",
            "content_language",
            "content_tone",
            "posts_in_russian",
            "posts_in_kazakh",
        ],
        "commercial": [
            "has_brand_collaborations",
            "detected_brand_categories",
            "has_affiliate_links",
            "ad_frequency",
        ],
        "audience_inference": [
            "estimated_audience_gender",
            "estimated_audience_age",
            "estimated_audience_geo",
            "geo_mentions",
        ],
    }
    assert list(AIInsights.model_fields) == [*GROUPS, "confidence", "notes"]
    assert said(AIInsights(confidence=1.0).model_dump()) == {}


def body(text: str, finish: str = "STOP", **more: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": finish}],
        **more,
    }


GOOD = wire_answer("key", {"confidence": 0.5}, {})


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (body(json.dumps(GOOD | {"subject": "other"})), Fault.OTHER_SUBJECT),
        (body(json.dumps(GOOD | {"confidence": 1.5})), Fault.OUT_OF_RANGE),
        (body(json.dumps(GOOD | {"confidence": -0.1})), Fault.OUT_OF_RANGE),
        (body(json.dumps(GOOD | {"confidence": "high"})), Fault.OTHER_FORM),
        (body(json.dumps(GOOD | {"more": 1})), Fault.OTHER_FORM),
        (
            body(json.dumps({name: value for name, value in GOOD.items() if name != "notes"})),
            Fault.OTHER_FORM,
        ),
        (body(json.dumps(GOOD | {"lifestyle": {}})), Fault.OTHER_FORM),
        (body(json.dumps(GOOD)[:-3]), Fault.BROKEN_JSON),
        (body("NaN"), Fault.BROKEN_JSON),
        (body("[1]"), Fault.BROKEN_JSON),
        (body("  "), Fault.NO_TEXT),
        (body(json.dumps(GOOD), "MAX_TOKENS"), Fault.CUT_OFF),
        (body(json.dumps(GOOD), "RECITATION"), Fault.STOPPED),
        (body(json.dumps(GOOD), "MALFORMED_FUNCTION_CALL"), Fault.STOPPED),
        (body("x" * 200_000), Fault.TOO_LARGE),
        ({}, Fault.NO_TEXT),
        ({"candidates": [None]}, Fault.NO_TEXT),
    ],
)
def test_an_answer_that_is_not_one_is_named(reply: dict[str, Any], fault: Fault) -> None:
    found = read_answer(reply, "key", SOURCES)
    assert isinstance(found, Unreadable), found
    assert found.fault is fault
    assert found.detail.endswith(".")


@pytest.mark.parametrize("finish", sorted(REFUSALS - {"RECITATION", "IMAGE_RECITATION"}))
def test_a_stopped_answer_is_a_refusal(finish: str) -> None:
    assert isinstance(read_answer(body("", finish), "key", SOURCES), Refused)


def test_a_blocked_prompt_is_a_refusal() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    assert isinstance(read_answer(blocked, "key", SOURCES), Refused)


@pytest.mark.parametrize(
    "text", [json.dumps(GOOD), f"```json\n{json.dumps(GOOD)}\n```", json.dumps(GOOD) + " ok"]
)
def test_an_answer_is_read_with_or_without_a_fence(text: str) -> None:
    assert isinstance(read_answer(body(text), "key", SOURCES), Supported)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING, st.sampled_from(["text", "body", "field"]))
def test_no_answer_whatsoever_raises(value: Any, where: str) -> None:
    if where == "text":
        read_answer(body(json.dumps(value)), "key", SOURCES)
    elif where == "body":
        read_answer(value if isinstance(value, dict) else {"candidates": value}, "key", SOURCES)
    else:
        for name in GOOD:
            read_answer(body(json.dumps(GOOD | {name: value})), "key", SOURCES)
