"""What one Gemini request used and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from entity_pipeline.core.gemini.models import GeminiModel, GroundingPool

_MILLION = Decimal(1_000_000)
_MICRODOLLAR = Decimal("0.000001")
# More than any model takes or writes: such a count in a reply is nonsense, and would use up a day's budget at once.
_MOST_IN, _MOST_OUT = 2_000_000, 131_072


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts of a reply's `usageMetadata`; `prompt` already includes `cached`."""

    prompt: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0
    tool: int = 0


def read_usage(body: Mapping[str, Any]) -> TokenUsage:
    """Token counts of a raw reply; whatever is absent or is no sensible number counts as 0."""
    raw = body.get("usageMetadata")
    counts: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}

    def count(key: str, most: int) -> int:
        value = counts.get(key)
        usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
        return value if usable else 0  # type: ignore[return-value]

    return TokenUsage(
        prompt=count("promptTokenCount", _MOST_IN),
        cached=count("cachedContentTokenCount", _MOST_IN),
        output=count("candidatesTokenCount", _MOST_OUT),
        thoughts=count("thoughtsTokenCount", _MOST_OUT),
        tool=count("toolUsePromptTokenCount", _MOST_IN),
    )


def count_search_queries(body: Mapping[str, Any]) -> int:
    """Distinct non-empty `webSearchQueries` of a raw reply, over all its candidates: Google's billing unit."""
    queries: set[str] = set()
    candidates = body.get("candidates")
    for candidate in candidates if isinstance(candidates, list) else []:
        metadata = candidate.get("groundingMetadata") if isinstance(candidate, Mapping) else None
        raw = metadata.get("webSearchQueries") if isinstance(metadata, Mapping) else None
        queries.update(q.strip() for q in (raw if isinstance(raw, list) else []) if isinstance(q, str))
    return len(queries - {""})


def token_cost_usd(model: GeminiModel, usage: TokenUsage, day: date) -> Decimal:
    """What the tokens cost, in USD. Thinking is billed as output; tool tokens are recorded, not billed."""
    price = model.price_on(day)
    fresh = max(usage.prompt - usage.cached, 0)
    cost = fresh * price.input + usage.cached * price.cached + (usage.output + usage.thoughts) * price.output
    return (cost / _MILLION).quantize(_MICRODOLLAR)


def search_cost_usd(pool: GroundingPool, units_before: int, units: int) -> Decimal:
    """The fee for `units` of grounding when `units_before` of the period's free allowance were used."""
    free_left = max(pool.free_units - units_before, 0)
    return (max(units - free_left, 0) * pool.usd_per_1000_units / 1000).quantize(_MICRODOLLAR)


@dataclass(frozen=True, slots=True)
class SpendDay:
    """One row of `gemini_spend_daily`; `cost_usd` is in USD."""

    quota_day: date
    pipeline: str
    step: str
    model: str
    requests: int
    grounded_requests: int
    search_queries: int
    cost_usd: Decimal
