"""The model registry: what each Gemini model costs, and which grounding quota it draws from.

The surprising fact: the billing unit of grounding differs by generation. 2.5 models are billed per grounded
prompt against a daily allowance; 3.x models per search query against a monthly one.
Source: Google's price list as read on `PRICES_READ_ON`; see `docs/quota-policy.md`.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

PRICES_READ_ON = date(2026, 11, 20)


@dataclass(frozen=True, slots=True)
class GroundingPool:
    """A free allowance of grounded work that several models share.

    `reserve_units` is what one request holds until it is settled: a prompt is one unit; the number of search
    queries is the model's choice, so the most that was seen is held.
    """

    name: str
    unit: Literal["prompt", "query"]
    period: Literal["day", "month"]
    free_units: int
    usd_per_1000_units: Decimal
    reserve_units: int


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, valid from `since`. `output` also covers thinking tokens."""

    since: date
    input: Decimal
    cached: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class GeminiModel:
    """One model of the registry; `retires_on` is the announced or reported last day, when known."""

    name: str
    pool: GroundingPool
    prices: tuple[Price, ...]
    retires_on: date | None = None
    successor: str | None = None

    def price_on(self, day: date) -> Price:
        """The price list in force on `day`."""
        valid = [price for price in self.prices if price.since <= day]
        return valid[-1] if valid else self.prices[0]


DAILY_PROMPTS = GroundingPool("gemini-2.5", "prompt", "day", 1_500, Decimal(35), reserve_units=1)
MONTHLY_QUERIES = GroundingPool("gemini-3", "query", "month", 5_000, Decimal(14), reserve_units=8)


def _price(since: date, input_usd: str, cached_usd: str, output_usd: str) -> Price:
    return Price(since, Decimal(input_usd), Decimal(cached_usd), Decimal(output_usd))


_ALWAYS = date(2025, 1, 1)
_3_FLASH_PRICES = (
    _price(_ALWAYS, "0.75", "0.075", "3.75"),
    _price(date(2027, 1, 1), "1.50", "0.15", "7.50"),
)

MODELS: dict[str, GeminiModel] = {
    model.name: model
    for model in (
        GeminiModel(
            "gemini-2.5-flash",
            DAILY_PROMPTS,
            (_price(_ALWAYS, "0.30", "0.03", "2.50"),),
            retires_on=date(2026, 12, 1),
            successor="gemini-3.5-flash-lite",
        ),
        GeminiModel("gemini-2.5-flash-lite", DAILY_PROMPTS, (_price(_ALWAYS, "0.10", "0.01", "0.40"),)),
        GeminiModel("gemini-3.5-flash-lite", MONTHLY_QUERIES, (_price(_ALWAYS, "0.30", "0.03", "2.50"),)),
        GeminiModel("gemini-3.6-flash", MONTHLY_QUERIES, _3_FLASH_PRICES),
        GeminiModel("gemini-3.8-flash", MONTHLY_QUERIES, _3_FLASH_PRICES),
    )
}


def find_model(name: str) -> GeminiModel | None:
    """The registry's entry for a configured model name, or None when it is not there."""
    return MODELS.get(name)


def is_same_model(asked: str, answered: str | None) -> bool:
    """Whether a reply's `modelVersion` is the model that was asked for, or a dated or preview build of it.

    ``gemini-2.5-flash-lite`` does not answer for ``gemini-2.5-flash``: it is another model at another price.
    """
    if not answered:
        return False
    name = answered.removeprefix("models/")
    return (
        re.fullmatch(re.escape(asked) + r"(-\d[\d-]*|-preview[\w.-]*|-exp[\w.-]*|@[\w.-]+)?", name)
        is not None
    )
