"""Requests: what is stored of them, and the most that they can cost."""

import json
from dataclasses import replace

import pytest

from entity_pipeline.core.gemini.pictures import MediaResolution, Picture
from entity_pipeline.core.gemini.request import Generation, Request, Text

PICTURE = Picture.of(b"\xff\xd8 a picture", "image/jpeg")
ASKED = Request(model="gemini-3.5-flash-lite", system="ab", parts=(Text("가"), PICTURE, PICTURE))


def test_a_picture_is_stored_by_hash_and_size_and_never_by_its_bytes() -> None:
    stored = json.dumps([ASKED.settings(), ASKED.texts()], ensure_ascii=False)
    assert PICTURE.sha256 in stored
    assert f'"size": {len(PICTURE.content())}' in stored
    assert "a picture" not in stored
    assert repr(b"a picture") not in repr(ASKED)


def test_a_picture_that_changed_after_its_request_was_made_is_not_sent() -> None:
    with pytest.raises(ValueError, match="has changed"):
        replace(PICTURE, read=lambda: b"\xff\xd8 another").content()


@pytest.mark.parametrize(
    ("model", "resolution", "tokens"),
    [
        ("gemini-3.5-flash-lite", None, 1_120),
        ("gemini-3.5-flash-lite", "high", 1_120),
        ("gemini-3.5-flash-lite", "medium", 560),
        ("gemini-3.5-flash-lite", "low", 280),
        ("gemini-2.5-flash", None, 2_306),
        ("gemini-2.5-flash", "low", 66),
        ("gemini-9", None, 2_306),
        ("gemini-9", "low", 280),
    ],
)
def test_a_picture_costs_what_the_model_takes_at_most_and_not_its_bytes(
    model: str, resolution: MediaResolution | None, tokens: int
) -> None:
    asked = replace(ASKED, model=model, generation=Generation(media_resolution=resolution))
    assert asked.most_prompt_tokens == 2 + 3 + 2 * tokens


def test_a_schema_is_part_of_the_prompt_and_of_what_is_stored() -> None:
    schema = {"type": "STRING", "enum": ["가"]}
    with_schema = replace(ASKED, response_schema=schema)
    assert with_schema.most_prompt_tokens - ASKED.most_prompt_tokens == len(
        '{"type": "STRING", "enum": ["가"]}'.encode()
    )
    assert with_schema.settings()["response_schema"] == schema
    assert "response_schema" not in ASKED.settings()


def test_what_is_not_stated_is_not_stored_so_that_older_hashes_hold() -> None:
    assert Generation().stated() == {"max_output_tokens": 2_048, "thinking_budget": 512, "temperature": 0.0}


def test_a_budget_and_a_level_of_thinking_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="either"):
        Generation(thinking_level="low")
