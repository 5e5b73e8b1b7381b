"""Every statement that touches `gemini_spend_daily`: usage and cost per quota day, rolled up from the ledger."""

from datetime import date
from typing import Any

from psycopg.errors import NotNullViolation, UniqueViolation
from psycopg.rows import class_row

from entity_pipeline.core.failures import SchemaMismatch
from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini.ledger_sql import EVENTS

# Only requests that have ended: one that is under way may still be released, and a group that vanishes from
# the ledger would keep its row here.
_TOTALS = f"""
with days as (
  select coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) as quota_day,
    pipeline, step, model, grounded, search_queries, prompt_tokens, cached_tokens, output_tokens,
    thoughts_tokens, tool_tokens, cost_usd
  from {EVENTS}
  where state in ('settled', 'failed', 'unknown') and pipeline is not null and step is not null and model is not null
    and created_at >= %(since)s::date - interval '2 days'
), totals as (
  select quota_day, pipeline, step, model,
    count(*)::int as requests, count(*) filter (where grounded)::int as grounded_requests,
    coalesce(sum(search_queries), 0)::int as search_queries,
    coalesce(sum(prompt_tokens), 0) as prompt_tokens, coalesce(sum(cached_tokens), 0) as cached_tokens,
    coalesce(sum(output_tokens), 0) as output_tokens, coalesce(sum(thoughts_tokens), 0) as thoughts_tokens,
    coalesce(sum(tool_tokens), 0) as tool_tokens, coalesce(sum(cost_usd), 0) as cost_usd
  from days where quota_day >= %(since)s
  group by quota_day, pipeline, step, model
)
"""
_UPSERT = """
insert into gemini_spend_daily as kept (quota_day, pipeline, step, model, requests, grounded_requests,
  search_queries, prompt_tokens, cached_tokens, output_tokens, thoughts_tokens, tool_tokens, cost_usd, updated_at)
select quota_day, pipeline, step, model, requests, grounded_requests, search_queries, prompt_tokens,
  cached_tokens, output_tokens, thoughts_tokens, tool_tokens, cost_usd, now()
from totals order by quota_day, pipeline, step, model
on conflict (quota_day, pipeline, step, model) do update
set requests = excluded.requests, grounded_requests = excluded.grounded_requests,
  search_queries = excluded.search_queries, prompt_tokens = excluded.prompt_tokens,
  cached_tokens = excluded.cached_tokens, output_tokens = excluded.output_tokens,
  thoughts_tokens = excluded.thoughts_tokens, tool_tokens = excluded.tool_tokens,
  cost_usd = excluded.cost_usd, updated_at = excluded.updated_at
where (kept.requests, kept.grounded_requests, kept.search_queries, kept.prompt_tokens, kept.cached_tokens,
    kept.output_tokens, kept.thoughts_tokens, kept.tool_tokens, kept.cost_usd)
  is distinct from (excluded.requests, excluded.grounded_requests, excluded.search_queries,
    excluded.prompt_tokens, excluded.cached_tokens, excluded.output_tokens, excluded.thoughts_tokens,
    excluded.tool_tokens, excluded.cost_usd)
"""

_ROLL_UP = _TOTALS + _UPSERT
# The same write for one made-up day, which `doctor` rolls back.
UPSERT_TRIAL = f"""
with totals as (
  select date '2000-01-01' as quota_day, %(pipeline)s::text as pipeline, %(step)s::text as step,
    %(model)s::text as model, 1 as requests, 1 as grounded_requests,
    1 as search_queries, 1 as prompt_tokens, 1 as cached_tokens,
    1 as output_tokens, 1 as thoughts_tokens, 1 as tool_tokens, 0 as cost_usd
)
{_UPSERT}
"""

_READ = """
select quota_day, pipeline, step, model, requests, grounded_requests, search_queries, cost_usd::numeric as cost_usd
from gemini_spend_daily where quota_day >= %s order by quota_day desc, cost_usd desc, pipeline, step, model
"""


def roll_up_spend(database: Database, since: date) -> int:
    """Bring the quota days from `since` on up to date; returns the number of rows that changed.

    Raises:
        SchemaMismatch: the table of an older installation has a column or key that the pipeline does not know.
    """
    with database.connection() as connection:
        parameters: dict[str, Any] = {"since": since}
        try:
            return int(connection.execute(_ROLL_UP, parameters).rowcount)
        except NotNullViolation as error:
            raise SchemaMismatch(
                f"Only the roll-up by day was not written: the column gemini_spend_daily.{error.diag.column_name} "
                "is required and the pipeline does not know it. Make it nullable "
                "(docs/schema.md, Existing installations)."
            ) from error
        except UniqueViolation as error:
            raise SchemaMismatch(
                "Only the roll-up by day was not written: the key "
                f"{error.diag.constraint_name} of gemini_spend_daily includes columns that the pipeline does not know. "
                "Make one of them nullable (docs/schema.md, Existing installations)."
            ) from error


def read_spend(database: Database, since: date) -> list[SpendDay]:
    """The kept rows from `since` on, newest day first."""
    with database.connection() as connection:
        return list(connection.cursor(row_factory=class_row(SpendDay)).execute(_READ, [since]))
