"""Which rows of other pipelines count as grounded: the rule in Python, and the same rule in SQL."""

from typing import Any

import psycopg
import pytest

from entity_pipeline.core.gemini.grounding_of_others import says_grounded
from entity_pipeline.core.jsonb import jsonb_text

FLASH = "gemini-2.5-flash"
CASES: list[tuple[str, str | None, int | None, int | None, dict[str, Any], bool | None]] = [
    ("nothing is said", FLASH, None, None, {}, None),
    ("no model either", None, None, None, {}, None),
    ("searches", FLASH, 2, None, {}, True),
    ("searches beside a false flag", FLASH, 2, None, {"grounded": False}, True),
    ("tokens of a tool", FLASH, None, 340, {}, True),
    ("tokens of a tool, no search counted", FLASH, 0, 340, {}, True),
    ("no search", FLASH, 0, None, {}, False),
    ("no search, no tokens", FLASH, 0, 0, {}, False),
    ("no tokens of a tool alone say nothing", FLASH, None, 0, {}, None),
    ("a flag", FLASH, None, None, {"grounded": True}, True),
    ("a flag as text", FLASH, None, None, {"grounded": "False"}, False),
    ("a flag that is neither", FLASH, None, None, {"grounded": "maybe"}, None),
    ("a flag beside no search", FLASH, 0, None, {"grounded": True}, True),
    ("the tool by its name", FLASH, None, None, {"tools": [{"google_search": {}}]}, True),
    ("as the SDK of JavaScript writes it", FLASH, None, None, {"tools": [{"googleSearch": {}}]}, True),
    ("the former tool", FLASH, None, None, {"tools": ["google_search_retrieval"]}, True),
    ("as one word", FLASH, None, None, {"tools": "google_search"}, True),
    ("other tools", FLASH, None, None, {"tools": ["code_execution"]}, False),
    ("no tool", FLASH, None, None, {"tools": []}, False),
    ("a tool that is null says nothing", FLASH, None, None, {"tools": None}, None),
    ("other metadata", FLASH, None, None, {"kind": "caption"}, None),
    ("embeddings", "gemini-embedding-001", None, None, {}, False),
    ("pictures", "imagen-4.0-generate-001", None, None, {}, False),
    ("speech", "gemini-2.5-flash-preview-tts", None, None, {}, False),
]


@pytest.mark.parametrize(("_", "model", "searches", "tokens", "metadata", "says"), CASES)
def test_a_row_says_what_it_is(
    assets: psycopg.Connection[Any],
    _: str,
    model: str | None,
    searches: int | None,
    tokens: int | None,
    metadata: dict[str, Any],
    says: bool | None,
) -> None:
    assert says_grounded(model, searches, tokens, metadata) is says
    asked = [model, searches, tokens, jsonb_text(metadata)]
    row = assets.execute("select entity_pipeline_says_grounded(%s, %s, %s, %s::jsonb)", asked).fetchone()
    assert row == (says,)
