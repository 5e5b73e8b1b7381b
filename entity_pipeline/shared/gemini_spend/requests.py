"""Single requests in the ledger. Their sums are in `spend_daily.py`, and reading for pages in `resources/gemini`."""

from decimal import Decimal
from typing import Any

import psycopg

_COSTS = "select id::text, state, coalesce(cost_usd, 0) from gemini_usage_events where pipeline = %s"


def costs_of(connection: psycopg.Connection[Any], pipeline: str) -> dict[str, tuple[str, Decimal]]:
    """State and cost in USD of every request of a pipeline, by its id. For a sandbox: it reads them all."""
    return {id_: (state, cost) for id_, state, cost in connection.execute(_COSTS, [pipeline])}
