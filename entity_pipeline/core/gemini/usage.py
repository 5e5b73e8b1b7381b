"""What one Gemini request used and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from entity_pipeline.core.gemini.models import GeminiModel, GroundingPool, answering_model, find_model
from entity_pipeline.core.jsonb import json_object

_MILLION = Decimal(1_000_000)
_MICRODOLLAR = Decimal("0.000001")
# More than any model reads or writes. A larger count in a reply is wrong and would use up a day's budget at once.
_MOST_IN, _MOST_OUT = 2_000_000, 131_072


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts of a reply's `usageMetadata`; `prompt` already includes `cached`.

    `is_stated` is False where the reply does not say, or can't mean, what it used: its cost is unknown.
    """

    prompt: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0
    tool: int = 0
    is_stated: bool = True


def read_usage(body: Mapping[str, Any]) -> TokenUsage:
    """Token counts of a raw reply; what is absent or not a sensible number is 0."""
    raw = body.get("usageMetadata")
    counts: Mapping[str, Any] = json_object(raw)

    def count(key: str, most: int) -> int | None:
        value = counts.get(key) or 0
        return value if type(value) is int and 0 <= value <= most else None

    prompt = count("promptTokenCount", _MOST_IN)
    cached = count("cachedContentTokenCount", _MOST_IN)
    output = count("candidatesTokenCount", _MOST_OUT)
    thoughts = count("thoughtsTokenCount", _MOST_OUT)
    billed = (prompt, cached, output, thoughts)
    return TokenUsage(
        prompt=prompt or 0,
        cached=cached or 0,
        output=output or 0,
        thoughts=thoughts or 0,
        tool=count("toolUsePromptTokenCount", _MOST_IN) or 0,
        is_stated=bool(prompt) and None not in billed,
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


def token_cost_usd(model: GeminiModel, usage: TokenUsage, day: date, *, in_batch: bool = False) -> Decimal:
    """What the tokens cost, in USD. Thinking is billed as output; tool tokens are recorded, not billed."""
    price = model.price_on(day, in_batch=in_batch)
    fresh = max(usage.prompt - usage.cached, 0)
    cost = fresh * price.input + usage.cached * price.cached + (usage.output + usage.thoughts) * price.output
    return (cost / _MILLION).quantize(_MICRODOLLAR)


class Bounded(Protocol):
    """A request, or what the ledger remembers of one: all that its cost depends on before the reply is known."""

    @property
    def model(self) -> str: ...
    @property
    def grounded(self) -> bool: ...
    @property
    def most_prompt_tokens(self) -> int: ...
    @property
    def most_output_tokens(self) -> int: ...


def most_token_cost_usd(
    model: GeminiModel, request: Bounded, day: date, *, in_batch: bool = False
) -> Decimal:
    """The most that the tokens of a request can cost, in USD."""
    most = TokenUsage(prompt=request.most_prompt_tokens, output=request.most_output_tokens)
    return token_cost_usd(model, most, day, in_batch=in_batch)


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


@dataclass(frozen=True, slots=True)
class ReplyFigures:
    """A reply's figures about itself, read once for the ledger and for the trace.

    `billed_as` is None when the model that answered is the one that was asked. `units` are those of the answering
    model's pool.
    """

    usage: TokenUsage
    search_queries: int
    model_version: str | None
    billed_as: str | None
    token_cost_usd: Decimal
    units: int
    pool: GroundingPool

    def cost_usd(self, units_before: int) -> Decimal:
        """The cost of the request in USD; `units_before` is how many units of the period were used before it."""
        return self.token_cost_usd + search_cost_usd(self.pool, units_before, self.units)


def read_figures(
    body: Mapping[str, Any], request: Bounded, expected: GeminiModel, day: date, *, in_batch: bool = False
) -> ReplyFigures:
    """Read a raw reply to `request`; it costs what the answering model costs, or `expected` if it names none."""
    usage, version = read_usage(body), _version(body)
    other = answering_model(request.model, version)
    if version is None and expected.name != request.model:
        other = expected.name
    billed = (find_model(other) if other else find_model(request.model)) or expected
    queries = count_search_queries(body) if request.grounded else 0
    units = 0 if not request.grounded else 1 if billed.pool.unit == "prompt" else queries
    # What a reply does not state may have cost as much as was held for it.
    cost = (
        token_cost_usd(billed, usage, day, in_batch=in_batch)
        if usage.is_stated
        else most_token_cost_usd(billed, request, day, in_batch=in_batch)
    )
    return ReplyFigures(usage, queries, version, other, cost, units, billed.pool)


def _version(body: Mapping[str, Any]) -> str | None:
    """The model that a reply names, as a text column takes it: without NUL and lone surrogates."""
    version = body.get("modelVersion")
    shown = "".join(filter(str.isprintable, version[:200])) if isinstance(version, str) else ""
    return shown if shown.strip() else None
