"""The transaction of an admission, and what the database holds at its moment in the ledger's vocabulary."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from psycopg import ClientCursor, Connection
from psycopg.rows import dict_row

from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.gemini.ledger import STALE_AFTER_S, LedgerView
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.outcomes import StoredReply
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsRow, gate, readable
from entity_pipeline.resources.gemini.ledger_sql import REPLY

_MODELS = json.dumps(
    {
        name: {
            "pool": model.pool.name,
            "units": 1 if model.pool.unit == "prompt" else None,
            "held": model.pool.reserve_units,
            "by_month": model.pool.period == "month",
        }
        for name, model in MODELS.items()
    }
)


@contextmanager
def transaction(database: Database) -> Iterator[Connection[Any]]:
    """A connection whose transaction the block's own statements begin, and may end."""
    with database.connection() as connection:
        try:
            yield connection
            connection.commit()
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise


def view_values(model: str, step: Step | None) -> dict[str, Any]:
    """The parameters of VIEW and STATUS for a model and a step; VIEW is about no subject until one is added."""
    return {
        "models": _MODELS,
        "model": model,
        "domain": step and step.domain,
        "pipeline": step and step.pipeline,
        "step": step and step.name,
        **dict.fromkeys(("subject", "kind", "config_hash", "consumed")),
    }


def read_view(connection: Connection[Any], statements: str, values: Mapping[str, Any]) -> LedgerView:
    """Run the statements, the last of which is VIEW or STATUS, in one round trip: the lock is held for shorter."""
    cursor = ClientCursor(connection, row_factory=dict_row)
    row = cursor.execute(statements, values).set_result(-1).fetchone()
    assert row is not None
    replay = None
    if row["unused_reply"] is not None:
        stored = connection.execute(REPLY, [row["unused_reply"]]).fetchone()
        replay = StoredReply(*stored) if stored is not None else None
    limits = SettingsRow(row["limits_are_on"], row["limits"]) if row["has_limits"] else None
    opened = gate(GeminiSettings, {GeminiSettings.row: limits} if limits is not None else {})
    return LedgerView(
        now=row["read_at"],
        quota_day=row["today"],
        settings=readable(GeminiSettings, limits) if isinstance(opened, Closed) else opened.settings,
        closed=opened.reason if isinstance(opened, Closed) else None,
        billed_as=row["billed_as"],
        units_in_period=row["units_in_period"],
        units_today=row["units_today"],
        reserved_today=row["reserved_today"],
        spent_usd=row["spent_usd"],
        month_spent_usd=row["month_spent_usd"],
        domain_spent_usd=row["domain_spent_usd"],
        requests_last_minute=row["requests_last_minute"],
        minute_frees_at=_plus(row["minute_began_at"], 60),
        blocked_until=row["held_until"],
        claimed_until=row["claimed_at"] and later(row["claimed_at"]),
        replay=replay,
    )


def _plus(instant: datetime | None, seconds: int) -> datetime | None:
    return instant + timedelta(seconds=seconds) if instant is not None else None


def later(claimed_at: datetime) -> datetime:
    """When the claim of a single request ends."""
    return claimed_at + timedelta(seconds=STALE_AFTER_S)
