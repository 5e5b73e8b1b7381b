"""Token counts, search queries and cost, from replies that may contain anything."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.gemini.models import DAILY_PROMPTS, MODELS, MONTHLY_QUERIES, GroundingPool
from entity_pipeline.core.gemini.request import Request, Text
from entity_pipeline.core.gemini.usage import (
    TokenUsage,
    count_search_queries,
    most_token_cost_usd,
    read_figures,
    read_usage,
    search_cost_usd,
    token_cost_usd,
)

TODAY = date(2026, 11, 20)
FLASH = MODELS["gemini-2.5-flash"]
MOST_IN, MOST_OUT = 2_000_000, 131_072
KEYS = (
    "usageMetadata",
    "promptTokenCount",
    "thoughtsTokenCount",
    "candidates",
    "groundingMetadata",
    "webSearchQueries",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)
COUNTS = st.integers(0, MOST_IN)


def used(**counts: Any) -> TokenUsage:
    return read_usage({"usageMetadata": counts})


def searched(*queries: Any) -> dict[str, Any]:
    return {"candidates": [{"groundingMetadata": {"webSearchQueries": list(queries)}}]}


def test_every_count_of_a_recorded_reply_is_read() -> None:
    usage = used(
        promptTokenCount=85,
        cachedContentTokenCount=20,
        candidatesTokenCount=28,
        thoughtsTokenCount=54,
        toolUsePromptTokenCount=132,
        totalTokenCount=299,
        serviceTier="standard",
    )
    assert usage == TokenUsage(prompt=85, cached=20, output=28, thoughts=54, tool=132)


@pytest.mark.parametrize("metadata", [None, [], "text", 7, {}, {"promptTokenCount": None}])
def test_absent_counts_are_zero_and_not_stated(metadata: Any) -> None:
    assert read_usage({"usageMetadata": metadata}) == read_usage({}) == TokenUsage(is_stated=False)


@pytest.mark.parametrize("count", [True, -1, 1.0, "12", [1], MOST_IN + 1, 10**30, float("nan")])
def test_a_count_that_makes_no_sense_is_zero(count: Any) -> None:
    assert used(promptTokenCount=count, candidatesTokenCount=3) == TokenUsage(output=3, is_stated=False)


@pytest.mark.parametrize("key", ["candidatesTokenCount", "thoughtsTokenCount"])
def test_more_output_than_any_model_writes_is_zero_and_not_a_days_budget(key: str) -> None:
    assert used(**{key: MOST_OUT + 1, "promptTokenCount": 3}) == TokenUsage(prompt=3, is_stated=False)


def test_the_largest_sensible_counts_are_kept() -> None:
    usage = used(promptTokenCount=MOST_IN, candidatesTokenCount=MOST_OUT, thoughtsTokenCount=MOST_OUT)
    assert usage == TokenUsage(prompt=MOST_IN, output=MOST_OUT, thoughts=MOST_OUT)


@pytest.mark.parametrize(
    ("body", "queries"),
    [
        (searched("a", "b"), 2),
        (searched("a", "a", " a "), 1),
        (searched("", "  ", "a"), 1),
        (searched(""), 0),
        (searched(), 0),
        (searched("a", None, 7, ["b"], {"q": 1}), 1),
        (searched("젠틀몬스터", "젠틀몬스터 브랜드"), 2),
        ({"candidates": [searched("a")["candidates"][0], searched("a", "b")["candidates"][0]]}, 2),
        ({"candidates": [{}, None, "x", {"groundingMetadata": None}]}, 0),
        ({"candidates": [{"groundingMetadata": {"webSearchQueries": "abc"}}]}, 0),
        ({"candidates": {"groundingMetadata": {}}}, 0),
        ({"promptFeedback": {"blockReason": "OTHER"}}, 0),
    ],
)
def test_distinct_queries_with_something_in_them_are_counted(body: dict[str, Any], queries: int) -> None:
    assert count_search_queries(body) == queries


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), ANYTHING, max_size=5))
def test_no_reply_whatever_is_in_it_breaks_the_counting(body: dict[str, Any]) -> None:
    usage = read_usage(body)
    counts = (usage.prompt, usage.cached, usage.output, usage.thoughts, usage.tool)
    assert all(type(count) is int and 0 <= count <= MOST_IN for count in counts)
    assert count_search_queries(body) >= 0


@pytest.mark.parametrize(
    ("usage", "model", "day", "usd"),
    [
        (TokenUsage(prompt=1_000_000), "gemini-2.5-flash", TODAY, "0.30"),
        (TokenUsage(output=1_000_000), "gemini-2.5-flash", TODAY, "2.50"),
        (TokenUsage(thoughts=1_000_000), "gemini-2.5-flash", TODAY, "2.50"),
        (TokenUsage(prompt=1_000_000, cached=400_000), "gemini-2.5-flash", TODAY, "0.192"),
        (TokenUsage(tool=1_000_000), "gemini-2.5-flash", TODAY, "0"),
        (
            TokenUsage(prompt=85, output=28, thoughts=54, tool=132),
            "gemini-2.5-flash",
            TODAY,
            "0.000230",
        ),  # 0.0002305
        (TokenUsage(prompt=5, cached=10), "gemini-2.5-flash", TODAY, "0"),  # 0.0000003
        (TokenUsage(prompt=1_000_000, output=1_000_000), "gemini-3.8-flash", date(2026, 12, 31), "4.50"),
        (TokenUsage(prompt=1_000_000, output=1_000_000), "gemini-3.8-flash", date(2027, 1, 1), "9.00"),
        (TokenUsage(), "gemini-2.5-flash", TODAY, "0"),
    ],
)
def test_tokens_cost_what_the_price_list_says(usage: TokenUsage, model: str, day: date, usd: str) -> None:
    assert token_cost_usd(MODELS[model], usage, day) == Decimal(usd)


@given(prompt=COUNTS, cached=COUNTS, output=COUNTS, thoughts=COUNTS)
def test_the_cost_is_the_formula_and_cached_tokens_are_paid_once(
    prompt: int, cached: int, output: int, thoughts: int
) -> None:
    cached = min(cached, prompt)
    cost = token_cost_usd(FLASH, TokenUsage(prompt, cached, output, thoughts), TODAY)
    exact = (
        (prompt - cached) * Decimal("0.30") + cached * Decimal("0.03") + (output + thoughts) * Decimal("2.50")
    )
    assert abs(cost - exact / 1_000_000) <= Decimal("0.0000005")


@pytest.mark.parametrize(
    ("pool", "before", "units", "usd"),
    [
        (DAILY_PROMPTS, 0, 1, "0"),
        (DAILY_PROMPTS, 1_499, 1, "0"),  # the last free one
        (DAILY_PROMPTS, 1_500, 1, "0.035"),
        (DAILY_PROMPTS, 9_999, 1, "0.035"),
        (DAILY_PROMPTS, 1_499, 2, "0.035"),
        (DAILY_PROMPTS, 1_500, 0, "0"),
        (MONTHLY_QUERIES, 4_992, 8, "0"),
        (MONTHLY_QUERIES, 4_993, 8, "0.014"),
        (MONTHLY_QUERIES, 4_999, 3, "0.028"),
        (MONTHLY_QUERIES, 6_000, 8, "0.112"),
    ],
)
def test_searching_costs_only_beyond_the_free_allowance(
    pool: GroundingPool, before: int, units: int, usd: str
) -> None:
    assert search_cost_usd(pool, before, units) == Decimal(usd)


@pytest.mark.parametrize(
    "used", [{}, {"candidatesTokenCount": 3}, {"promptTokenCount": 3, "thoughtsTokenCount": -1}]
)
def test_a_reply_that_does_not_state_its_tokens_costs_what_was_held_for_it(used: dict[str, int]) -> None:
    request = Request(model=FLASH.name, system="s", parts=(Text("p" * 1_000),))
    most = most_token_cost_usd(FLASH, request, TODAY)
    assert read_figures({"usageMetadata": used}, request, FLASH, TODAY).cost_usd(0) == most > 0
