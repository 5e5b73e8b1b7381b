"""The model registry: price, grounding pool and life of each Gemini model, each with where and when it was read.

Grounding is billed in different units by generation: 2.5 models per grounded prompt against a daily allowance,
3.x models per search query against a monthly one. Which model is the default, and why, is in
`docs/decisions/0011-the-default-model-is-2.5-flash-lite.md`; the same figures for people are in `docs/quota-policy.md`.
What one request costs does not belong here: see `core/gemini/usage.py`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from entity_pipeline.core.reasons import Reason

PRICES_READ_ON = date(2026, 11, 20)
DEFAULT_MODEL = "gemini-2.5-flash-lite"
NOTICE_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Source:
    """One fact that was read about a model. `is_official`: on a page of Google's, or in a stored copy of one."""

    says: str
    where: str
    read_on: date
    is_official: bool


@dataclass(frozen=True, slots=True)
class GroundingPool:
    """A free allowance of grounded work that several models share.

    `reserve_units` is what one request holds until it is settled: a prompt is one unit; the number of search
    queries is the model's choice, so the highest number seen so far is held.
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

    def in_batch(self) -> "Price":
        """The price in a batch: half for what goes in and out (`_BATCH_PRICE`); cached tokens keep theirs."""
        return replace(self, input=self.input / 2, output=self.output / 2)


@dataclass(frozen=True, slots=True)
class GeminiModel:
    """One model of the registry.

    From `retires_on` on, when that is known, Google answers with `successor` or refuses the name. `instead` is the
    model to choose then, which need not be the successor.
    """

    name: str
    pool: GroundingPool
    prices: tuple[Price, ...]
    sources: tuple[Source, ...]
    retires_on: date | None = None
    successor: str | None = None
    instead: str | None = None

    def price_on(self, day: date, *, in_batch: bool = False) -> Price:
        """The price list in force on `day`, for single requests or for those of a batch."""
        valid = [price for price in self.prices if price.since <= day]
        price = valid[-1] if valid else self.prices[0]
        return price.in_batch() if in_batch else price


@dataclass(frozen=True, slots=True)
class RetirementNotice:
    """A configured model that retires within `NOTICE_BEFORE`, or has retired: the consequences, and what to set."""

    model: GeminiModel
    successor: str
    instead: str
    is_over: bool

    @property
    def setting(self) -> str:
        """The one variable to change."""
        return f"GEMINI_MODEL={self.instead}"

    @property
    def reason(self) -> Reason:
        """The notice in words."""
        return Reason(
            "entity_pipeline.core.gemini",
            "model_retired" if self.is_over else "model_retires",
            {
                "model": self.model.name,
                "day": self.model.retires_on,
                "successor": self.successor,
                "setting": self.setting,
            },
        )


DAILY_PROMPTS = GroundingPool("gemini-2.5", "prompt", "day", 1_500, Decimal(35), reserve_units=1)
MONTHLY_QUERIES = GroundingPool("gemini-3", "query", "month", 5_000, Decimal(14), reserve_units=8)


def _price(since: date, input_usd: str, cached_usd: str, output_usd: str) -> Price:
    return Price(since, Decimal(input_usd), Decimal(cached_usd), Decimal(output_usd))


_ALWAYS = date(2025, 1, 1)
_3_FLASH_PRICES = (
    _price(_ALWAYS, "0.75", "0.075", "3.75"),
    _price(date(2027, 1, 1), "1.50", "0.15", "7.50"),
)

_PRICE_LIST = Source(
    "the price in this registry",
    "ai.google.dev/gemini-api/docs/pricing, in the copy of github.com/api-evangelist/deepmind",
    date(2026, 10, 7),
    is_official=True,
)
_BATCH_PRICE = Source(
    "a batch costs half of the standard price for input and output, and cached tokens their standard price",
    "ai.google.dev/gemini-api/docs/batch-api and /docs/pricing, in the copy of github.com/api-evangelist/deepmind",
    date(2026, 10, 7),
    is_official=True,
)
_NO_DATE = Source(
    "no shutdown date announced",
    "ai.google.dev/gemini-api/docs/deprecations, in a copy made after 2026-09-15",
    date(2026, 11, 29),
    is_official=True,
)
_DEPRECATIONS_OF_NOVEMBER = (
    "dev.to/aideprecations, who quote ai.google.dev/gemini-api/docs/deprecations as read on 2026-11-10"
)

# Gemini 4 models are missing because no source says which grounding pool they draw from.
MODELS: dict[str, GeminiModel] = {
    model.name: model
    for model in (
        GeminiModel(
            "gemini-2.5-flash",
            DAILY_PROMPTS,
            (_price(_ALWAYS, "0.30", "0.03", "2.50"),),
            (
                _PRICE_LIST,
                _BATCH_PRICE,
                Source(
                    "shut down on 2026-12-01; from then requests are routed to gemini-3.5-flash-lite and billed "
                    "at its rates",
                    _DEPRECATIONS_OF_NOVEMBER,
                    date(2026, 11, 29),
                    is_official=False,
                ),
                Source(
                    "withdrawn by a reseller, whose requests for it fail with 503 and are not routed",
                    "docs.laozhang.ai, announcement of 2026-11-12",
                    date(2026, 11, 29),
                    is_official=False,
                ),
                Source(
                    "the end was announced for 2026-06-17 and for 2026-10-16 before, and moved each time",
                    "github.com/mozilla/sumo, issue 2794",
                    date(2026, 11, 29),
                    is_official=False,
                ),
            ),
            retires_on=date(2026, 12, 1),
            successor="gemini-3.5-flash-lite",
            instead=DEFAULT_MODEL,
        ),
        GeminiModel(
            "gemini-2.5-flash-lite",
            DAILY_PROMPTS,
            (_price(_ALWAYS, "0.10", "0.01", "0.40"),),
            (
                _PRICE_LIST,
                _BATCH_PRICE,
                Source(
                    "not deprecated, and available through the API until further notice",
                    _DEPRECATIONS_OF_NOVEMBER,
                    date(2026, 11, 29),
                    is_official=False,
                ),
                Source(
                    "shut down on 2026-10-16, which did not happen",
                    "ai.google.dev/gemini-api/docs/deprecations, as quoted in github.com/Laisky/one-api, pull "
                    "request 409",
                    date(2026, 11, 29),
                    is_official=False,
                ),
            ),
        ),
        GeminiModel(
            "gemini-3.5-flash-lite",
            MONTHLY_QUERIES,
            (_price(_ALWAYS, "0.30", "0.03", "2.50"),),
            (_PRICE_LIST, _BATCH_PRICE, _NO_DATE),
        ),
        GeminiModel(
            "gemini-3.6-flash", MONTHLY_QUERIES, _3_FLASH_PRICES, (_PRICE_LIST, _BATCH_PRICE, _NO_DATE)
        ),
        GeminiModel(
            "gemini-3.8-flash", MONTHLY_QUERIES, _3_FLASH_PRICES, (_PRICE_LIST, _BATCH_PRICE, _NO_DATE)
        ),
        GeminiModel(
            "gemini-3.5-flash",
            MONTHLY_QUERIES,
            (_price(_ALWAYS, "1.50", "0.15", "9.00"),),
            (_PRICE_LIST, _BATCH_PRICE, _NO_DATE),
        ),
        GeminiModel(
            "gemini-3.1-flash-lite",
            MONTHLY_QUERIES,
            (_price(_ALWAYS, "0.25", "0.025", "1.50"),),
            (
                _PRICE_LIST,
                _BATCH_PRICE,
                Source(
                    "shut down on 2027-05-07",
                    "ai.google.dev/gemini-api/docs/deprecations, in a copy made after 2026-05-19",
                    date(2026, 11, 29),
                    is_official=True,
                ),
                Source(
                    "gemini-3.5-flash-lite is the recommended replacement",
                    "ai.google.dev/gemini-api/docs/deprecations, as quoted in github.com/Laisky/one-api, pull "
                    "request 409",
                    date(2026, 11, 29),
                    is_official=False,
                ),
            ),
            retires_on=date(2027, 5, 7),
            successor="gemini-3.5-flash-lite",
        ),
    )
}


def find_model(name: str) -> GeminiModel | None:
    """The registry's entry for a configured model name, or None when it is not there."""
    return MODELS.get(name)


def retirement_notice(
    model: GeminiModel, today: date, accepted: Collection[str] = ()
) -> RetirementNotice | None:
    """What to say about the end of a configured model; None while that is unknown or more than 30 days away.

    Also None when the successor is one of the `accepted` models, because a person has already decided.
    """
    if model.retires_on is None or model.successor is None or today < model.retires_on - NOTICE_BEFORE:
        return None
    if model.successor in accepted:
        return None
    return RetirementNotice(
        model=model,
        successor=model.successor,
        instead=model.instead or model.successor,
        is_over=today >= model.retires_on,
    )


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


def answering_model(asked: str, version: str | None) -> str | None:
    """Which other model a reply's `modelVersion` names: by its name in the registry, else as it was given.

    None when it is the one that was asked for, or when the reply names none.
    """
    if version is None or is_same_model(asked, version):
        return None
    return next((name for name in MODELS if is_same_model(name, version)), version.removeprefix("models/"))
