"""The registry: names, prices by date, and which grounding pool a model draws from."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from entity_pipeline.core.gemini.models import (
    DAILY_PROMPTS,
    DEFAULT_MODEL,
    MODELS,
    MONTHLY_QUERIES,
    GeminiModel,
    GroundingPool,
    find_model,
    is_same_model,
    retirement_notice,
)
from entity_pipeline.core.reasons import sentence

EVERY_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)


def registered(name: str) -> GeminiModel:
    model = find_model(name)
    assert model is not None
    return model


@pytest.mark.parametrize(
    ("name", "day", "prices"),
    [
        ("gemini-2.5-flash", date(2026, 11, 20), ("0.30", "0.03", "2.50")),
        ("gemini-2.5-flash", date(2027, 6, 1), ("0.30", "0.03", "2.50")),
        ("gemini-2.5-flash-lite", date(2026, 11, 20), ("0.10", "0.01", "0.40")),
        ("gemini-3.5-flash-lite", date(2027, 1, 1), ("0.30", "0.03", "2.50")),
        ("gemini-3.6-flash", date(2026, 12, 31), ("0.75", "0.075", "3.75")),
        ("gemini-3.6-flash", date(2027, 1, 1), ("1.50", "0.15", "7.50")),
        ("gemini-3.8-flash", date(2026, 12, 31), ("0.75", "0.075", "3.75")),
        ("gemini-3.8-flash", date(2027, 1, 1), ("1.50", "0.15", "7.50")),
        ("gemini-3.5-flash", date(2027, 1, 1), ("1.50", "0.15", "9.00")),
        ("gemini-3.1-flash-lite", date(2027, 1, 1), ("0.25", "0.025", "1.50")),
        ("gemini-3.8-flash", date(2020, 1, 1), ("0.75", "0.075", "3.75")),  # before the list: its oldest
    ],
)
def test_the_price_is_the_one_in_force_on_the_day(name: str, day: date, prices: tuple[str, ...]) -> None:
    price = registered(name).price_on(day)
    assert (price.input, price.cached, price.output) == tuple(map(Decimal, prices))


@pytest.mark.parametrize(
    ("name", "pool"),
    [
        ("gemini-2.5-flash", DAILY_PROMPTS),
        ("gemini-2.5-flash-lite", DAILY_PROMPTS),
        ("gemini-3.5-flash-lite", MONTHLY_QUERIES),
        ("gemini-3.6-flash", MONTHLY_QUERIES),
        ("gemini-3.8-flash", MONTHLY_QUERIES),
        ("gemini-3.5-flash", MONTHLY_QUERIES),
        ("gemini-3.1-flash-lite", MONTHLY_QUERIES),
    ],
)
def test_models_of_one_generation_share_a_pool(name: str, pool: GroundingPool) -> None:
    assert registered(name).pool is pool


def test_the_pools_are_those_of_the_price_list() -> None:
    assert (DAILY_PROMPTS.unit, DAILY_PROMPTS.period, DAILY_PROMPTS.free_units) == ("prompt", "day", 1_500)
    assert (MONTHLY_QUERIES.unit, MONTHLY_QUERIES.period, MONTHLY_QUERIES.free_units) == (
        "query",
        "month",
        5_000,
    )
    assert (DAILY_PROMPTS.usd_per_1000_units, MONTHLY_QUERIES.usd_per_1000_units) == (35, 14)
    assert DAILY_PROMPTS.reserve_units == 1


@EVERY_MODEL
def test_the_prices_of_a_model_are_in_order_of_date(model: GeminiModel) -> None:
    assert all(earlier.since < later.since for earlier, later in pairwise(model.prices))
    assert MODELS[model.name] is model


@EVERY_MODEL
def test_a_model_that_retires_names_a_registered_successor(model: GeminiModel) -> None:
    assert (model.retires_on is None) == (model.successor is None)
    assert model.successor is None or find_model(model.successor) is not None
    assert model.instead is None or find_model(model.instead) is not None


@EVERY_MODEL
def test_every_model_says_where_and_when_it_was_read(model: GeminiModel) -> None:
    assert model.sources
    assert all(
        source.says and source.where and source.read_on >= date(2026, 8, 1) for source in model.sources
    )
    if model.retires_on is not None:
        assert any(model.retires_on.isoformat() in source.says for source in model.sources)


def test_the_default_model_has_no_known_end_and_shares_the_daily_pool_of_the_model_that_retires() -> None:
    default, before = registered(DEFAULT_MODEL), registered("gemini-2.5-flash")
    assert default.retires_on is None
    assert default.pool is before.pool is DAILY_PROMPTS
    assert before.instead == DEFAULT_MODEL


@pytest.mark.parametrize(
    ("name", "today", "key"),
    [
        ("gemini-2.5-flash", date(2026, 10, 31), None),
        ("gemini-2.5-flash", date(2026, 11, 1), "model_retires"),
        ("gemini-2.5-flash", date(2026, 11, 30), "model_retires"),
        ("gemini-2.5-flash", date(2026, 12, 1), "model_retired"),
        ("gemini-2.5-flash", date(2027, 12, 1), "model_retired"),
        ("gemini-2.5-flash-lite", date(2027, 12, 1), None),
        ("gemini-3.1-flash-lite", date(2026, 12, 1), None),
        ("gemini-3.1-flash-lite", date(2027, 4, 7), "model_retires"),
        ("gemini-3.1-flash-lite", date(2027, 5, 7), "model_retired"),
    ],
)
def test_the_end_of_a_model_is_announced_thirty_days_before_it(
    name: str, today: date, key: str | None
) -> None:
    notice = retirement_notice(registered(name), today)
    assert (notice.reason.key if notice else None) == key
    if notice is not None:
        assert notice.is_over is (key == "model_retired")
        for language in ("en", "ko"):
            said = sentence(notice.reason, language)
            assert all(part in said for part in (name, notice.successor, notice.setting, "20"))


def test_what_to_set_need_not_be_the_successor() -> None:
    first = retirement_notice(registered("gemini-2.5-flash"), date(2026, 12, 1))
    second = retirement_notice(registered("gemini-3.1-flash-lite"), date(2027, 5, 7))
    assert first is not None
    assert second is not None
    assert (first.successor, first.setting) == ("gemini-3.5-flash-lite", "GEMINI_MODEL=gemini-2.5-flash-lite")
    assert (second.successor, second.setting) == (
        "gemini-3.5-flash-lite",
        "GEMINI_MODEL=gemini-3.5-flash-lite",
    )


@pytest.mark.parametrize(
    "name", ["", "gemini", "gemini-2.5-flash ", "models/gemini-2.5-flash", "GEMINI-2.5-FLASH"]
)
def test_a_name_that_is_not_in_the_registry_is_not_guessed(name: str) -> None:
    assert find_model(name) is None


@pytest.mark.parametrize(
    ("answered", "same"),
    [
        ("gemini-2.5-flash", True),
        ("models/gemini-2.5-flash", True),
        ("gemini-2.5-flash-001", True),
        ("gemini-2.5-flash-09-2025", True),
        ("gemini-2.5-flash-preview-09-2025", True),
        ("gemini-2.5-flash-exp-0827", True),
        ("gemini-2.5-flash@20260901", True),
        ("gemini-2.5-flash-lite", False),
        ("gemini-2.5-flash-lite-001", False),
        ("gemini-2.5-flash-image", False),
        ("gemini-2.5-flashy", False),
        ("gemini-3.5-flash-lite", False),
        ("gemini-2x5-flash", False),
        ("x-gemini-2.5-flash", False),
        ("gemini-2.5-flash\n", False),
        ("", False),
        (None, False),
    ],
)
def test_only_a_build_of_the_same_model_answers_for_it(answered: str | None, same: bool) -> None:
    assert is_same_model("gemini-2.5-flash", answered) is same
