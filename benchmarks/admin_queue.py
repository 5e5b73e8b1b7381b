"""Milliseconds of the queue's first, deep and previous pages at 1,000,000 accounts, over filters and orders.

    .venv/bin/python benchmarks/admin_queue.py [ACCOUNTS] [--keep FOLDER]

Starts its own PostgreSQL and makes the accounts of `many_accounts.py` (some minutes). With --keep the folder
stays and is used again. The hardest queries are those whose filters are each common but never true
together, since nothing rare leads to the answer.
"""

from itertools import product
from typing import Any

import psycopg
from many_accounts import run, timed
from rich.console import Console
from rich.table import Table

from entity_pipeline.domains.entities.page.queue import queue_counts, queue_page
from entity_pipeline.domains.entities.page.queue_values import QueueQuery, QueueSort
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

Connections = tuple[psycopg.Connection[Any], psycopg.Connection[Any]]
"""Connections to the assets and the operation database."""

LIMIT_MS = 150.0
DEEP_PAGES = 5
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "state, common": {"state": "pending"},
    "state, rare": {"state": "undone"},
    "state held": {"state": "held"},
    "type, common": {"type": "brand"},
    "type, rare": {"type": "unknown"},
    "role, rare": {"role": "regional"},
    "region": {"region": "JP"},
    "region none": {"region": "none"},
    "reason, common": {"reason": "account_unproven"},
    "reason, rare": {"reason": "country_is_namibia"},
    "cohort": {"cohort": "2026-11-01"},
    "search, one letter": {"search": "a"},
    "search, rare": {"search": "account_12345"},
    "search, name": {"search": "Name 777"},
    "search, nothing": {"search": "zzzz"},
    "held brands of Japan": {"state": "held", "type": "brand", "region": "JP"},
    "created, secondary (none)": {"state": "created", "role": "secondary"},
    "linked and other (none)": {"state": "linked", "type": "other"},
    "regional without region (none)": {"role": "regional", "region": "none"},
    "held artists with a letter": {"state": "held", "type": "artist", "search": "b"},
}


def deep(connections: Connections, query: QueueQuery) -> QueueQuery | None:
    """The query of the last page before DEEP_PAGES, each of the largest size."""
    at = query.model_copy(update={"limit": 200})
    for _ in range(DEEP_PAGES):
        page = queue_page(*connections, at)
        if page.next_cursor is None:
            break
        at = at.model_copy(update={"cursor": page.next_cursor})
    return query.model_copy(update={"cursor": at.cursor}) if at.cursor else None


def measure(connections: Connections, console: Console) -> float:
    """Print the table; returns the slowest page in ms."""
    empty_ms, _ = timed(lambda: queue_page(*connections, QueueQuery(search="zzzz")), 15)
    table = Table(
        "filter", "order", "rows", "first", "deep", "previous", title=f"ms; an empty page: {empty_ms:.1f}"
    )
    slowest = 0.0
    for (name, filters), order in product(FILTERS.items(), QueueSort):
        query = QueueQuery.model_validate({**filters, "sort": order})
        first_ms, page = timed(lambda query=query: queue_page(*connections, query))  # type: ignore[misc]
        row = [first_ms]
        if (far := deep(connections, query)) is not None:
            far_ms, far_page = timed(lambda far=far: queue_page(*connections, far))  # type: ignore[misc]
            back = query.model_copy(update={"cursor": far_page.previous_cursor})
            row += [far_ms, timed(lambda back=back: queue_page(*connections, back))[0]]  # type: ignore[misc]
        slowest = max(slowest, *row)
        marked = [f"{ms:.1f}{' !' if ms > LIMIT_MS else ''}" for ms in row] + [""] * (3 - len(row))
        table.add_row(name, order.value, str(len(page.rows)), *marked)
    console.print(table)
    counts_ms, _ = timed(lambda: queue_counts(connections[0]), 3)
    console.print(
        f"slowest page {slowest:.1f} ms, {slowest / empty_ms:.1f} times an empty one; counts {counts_ms:.0f} ms"
    )
    return slowest


def main(postgres: EmbeddedPostgres, console: Console) -> None:
    with (
        psycopg.connect(postgres.url("assets"), autocommit=True, prepare_threshold=None) as assets,
        psycopg.connect(postgres.url("operation"), autocommit=True, prepare_threshold=None) as operation,
    ):
        slowest = measure((assets, operation), console)
    if slowest > LIMIT_MS:
        raise SystemExit(f"A page took more than {LIMIT_MS:.0f} ms.")


if __name__ == "__main__":
    run("The queue's pages.", main)
