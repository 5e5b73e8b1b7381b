"""The ledger as people read it: what days cost by model, and the requests made for one account. Changes nothing.

Today's figures include requests that are still under way, because those count against the cap. The days in
`gemini_spend_daily` have only requests that ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row

from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.gemini.call import EventId, Step
from entity_pipeline.core.gemini.models import is_same_model
from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini.ledger_sql import EVENTS, KEPT_REQUEST, RECENT_REPLIES

_DAY = "coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)"

_BY_DAY = f"""
select {_DAY} as quota_day, coalesce(pipeline, '') as pipeline, coalesce(step, '') as step,
  coalesce(model, '') as model, count(*)::int as requests,
  count(*) filter (where grounded)::int as grounded_requests,
  coalesce(sum(search_queries), 0)::int as search_queries, coalesce(sum(cost_usd), 0) as cost_usd
from {EVENTS}
where state <> 'released' and created_at > %(day)s::date - interval '1 day' and {_DAY} >= %(day)s
group by 1, 2, 3, 4 order by quota_day, cost_usd desc, pipeline, step, model
"""

_OF_SUBJECT = f"""
select id::text, created_at as at, metadata ->> 'kind' as kind, model, state, grounded, search_queries,
  coalesce(prompt_tokens, 0) + coalesce(output_tokens, 0) + coalesce(thoughts_tokens, 0)
    + coalesce(tool_tokens, 0) as tokens,
  cost_usd, latency_ms, error ->> 'message' as error
from {EVENTS}
where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s
order by created_at desc, id limit %(limit)s
"""

_COSTS = f"""
select subject, coalesce(sum(cost_usd), 0)::numeric from {EVENTS}
where pipeline = %(pipeline)s and step = %(step)s and subject = any(%(subjects)s) and state <> 'released'
group by 1
"""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request made for an account; `cost_usd` in USD, a reservation's greatest cost while it is open."""

    id: EventId
    at: datetime
    kind: str | None
    model: str | None
    state: str
    grounded: bool
    search_queries: int | None
    tokens: int
    cost_usd: Decimal | None
    latency_ms: int | None
    error: str | None


def spend_since(database: Database, first: date) -> list[SpendDay]:
    """Pacific days from `first` on straight from the ledger, requests under way included."""
    with database.connection() as connection:
        parameters: dict[str, Any] = {"day": first}
        return list(connection.cursor(row_factory=class_row(SpendDay)).execute(_BY_DAY, parameters))


def spend_of_day(database: Database, day: date) -> list[SpendDay]:
    """One Pacific day of `spend_since`."""
    return [spent for spent in spend_since(database, day) if spent.quota_day == day]


def entries_of(database: Database, step: Step, subject: str, limit: int) -> list[LedgerEntry]:
    """The requests made for one account, newest first."""
    parameters = {"pipeline": step.pipeline, "step": step.name, "subject": subject, "limit": limit}
    with database.connection() as connection:
        return list(connection.cursor(row_factory=class_row(LedgerEntry)).execute(_OF_SUBJECT, parameters))


def costs_of(database: Database, step: Step, subjects: Sequence[str]) -> Mapping[str, Decimal]:
    """The cost of all requests for each account that had any; released ones never left and cost nothing."""
    parameters = {"pipeline": step.pipeline, "step": step.name, "subjects": list(subjects)}
    with database.connection() as connection:
        return dict(connection.execute(_COSTS.encode(), parameters).fetchall())


def request_of(database: Database, event_id: EventId) -> Mapping[str, Any] | None:
    """What is kept of one request as it is stored, empty for one that never left; None when no row has this ID."""
    # Compared as text: the column has another type where other pipelines made the table, and a person may mistype the
    # id.
    found = KEPT_REQUEST
    with database.connection() as connection:
        row = connection.execute(found, [event_id]).fetchone()
    return None if row is None else row[0]


def recent_replies(database: Database, model: str, since: datetime) -> RecentReplies:
    """How the grounded requests of all domains to `model` were answered since then."""
    values = {"model": model, "since": since}
    with database.connection() as connection:
        rows = connection.execute(RECENT_REPLIES, values).fetchall()
    versions = sorted({row[0] for row in rows if row[0] is not None})
    return RecentReplies(
        grounded=sum(row[1] for row in rows),
        without_search=sum(row[2] for row in rows),
        other_models=[version for version in versions if not is_same_model(model, version)],
    )


_BATCHES = f"""
select b.name, b.step, b.model, b.state, b.requests, b.created_at, b.submitted_at, b.ended_at, b.outcome,
  b.error ->> 'message' as error, paid.cost_usd, paid.settled
from gemini_batches b cross join lateral (
  select coalesce(sum(cost_usd) filter (where state <> 'released'), 0)::numeric as cost_usd,
    count(*) filter (where state = 'settled')::int as settled
  from {EVENTS} where batch_name = b.name
) paid
where b.pipeline = %(pipeline)s order by b.created_at desc, b.name limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """A batch of requests. `cost_usd` in USD, the greatest cost of requests that are open; `settled` are answered."""

    name: str
    step: str
    model: str
    state: str
    requests: int
    created_at: datetime
    submitted_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    error: str | None
    cost_usd: Decimal
    settled: int


def batches_of(database: Database, pipeline: str, limit: int) -> list[BatchEntry]:
    """The batches of a pipeline, newest first."""
    with database.connection() as connection:
        values = {"pipeline": pipeline, "limit": limit}
        return list(connection.cursor(row_factory=class_row(BatchEntry)).execute(_BATCHES, values))


_REQUESTS = f"""
select coalesce(pipeline, '') as pipeline, coalesce(model, '') as model, state, grounded,
  count(*)::int as requests, coalesce(sum(cost_usd), 0) as cost_usd
from {EVENTS}
where created_at > %(day)s::date - interval '1 day' and {_DAY} = %(day)s
group by 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class RequestCount:
    """The number of like requests of a day; released ones cost nothing and never left."""

    pipeline: str
    model: str
    state: str
    grounded: bool
    requests: int
    cost_usd: Decimal


def requests_of_day(database: Database, day: date) -> list[RequestCount]:
    """One Pacific day by pipeline, model, state and grounding, requests under way and released ones included."""
    with database.connection() as connection:
        return list(connection.cursor(row_factory=class_row(RequestCount)).execute(_REQUESTS, {"day": day}))
