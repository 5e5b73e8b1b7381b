"""One write of each kind to the tables that all domains share, for `doctor`. A domain's own are in its `trials.py`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from psycopg import Connection

from entity_pipeline.core.audit import COMMAND_ACTOR, PAGE_ACTOR, SYSTEM_ACTOR, Actor
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.gemini.batch import LEASE
from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.gemini.ledger import STALE_AFTER_S
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.core.shared_settings import SHARED_ROWS
from entity_pipeline.core.trials import TRIAL_HANDLE, Trial
from entity_pipeline.resources.gemini.batch_sql import (
    ADD_BATCH,
    ADD_REQUESTS,
    END_BATCH,
    MARK_CREATING,
    MARK_SUBMITTED,
)
from entity_pipeline.resources.gemini.ledger_sql import FAILED, FINISH, MARK_SENT, RESERVE, SETTLE
from entity_pipeline.resources.gemini.spend import UPSERT_TRIAL
from entity_pipeline.resources.instagram.governor_sql import COUNT, OUTCOME
from entity_pipeline.resources.postgres import database_clock
from entity_pipeline.resources.settings_store import rewrite
from entity_pipeline.shared.alerts.store import claim, note_sent
from entity_pipeline.shared.audit.writer import AuditWriter

_ACTORS = {
    "an audit row of an automatic write": SYSTEM_ACTOR,
    "an audit row of a person with ADMIN_TOKEN": PAGE_ACTOR,
    "an audit row of a person at a command line": COMMAND_ACTOR,
}


def trials_of(domain: Domain) -> Sequence[Trial]:
    """Everything that a domain writes: to the shared tables, and to its own."""
    settings = (domain.settings, *SHARED_ROWS)
    who = Actor(COMMAND_ACTOR, "cli", "doctor")
    return [
        *(
            Trial("operation", "admin_audit_log", what, partial(_audit, row=domain.row, actor=actor))
            for what, actor in _ACTORS.items()
        ),
        *(
            Trial(
                "assets",
                "pipeline_settings",
                f"the row {model.row} of pipeline_settings",
                partial(rewrite, model=model, who=who),
            )
            for model in settings
        ),
        Trial("assets", "pipeline_alerts", "an alert", _alert),
        Trial("assets", "instagram_request_log", "a request to Instagram", partial(_look, domain=domain.key)),
        *domain.trials(),
    ]


def ledger_trials(step: Step) -> Sequence[Trial]:
    """What a step that asks Gemini writes."""
    values = {"pipeline": step.pipeline, "step": step.name, "model": DEFAULT_MODEL}
    return [
        Trial("assets", "gemini_usage_events", "a reply of Gemini", partial(_reply, values=values)),
        Trial("assets", "gemini_usage_events", "an error of Gemini", partial(_error, values=values)),
        Trial("assets", "gemini_batches", "a batch for Gemini", partial(_batch, values=values)),
        Trial(
            "assets",
            "gemini_spend_daily",
            "a day's usage of Gemini",
            lambda connection: connection.execute(UPSERT_TRIAL, values),
        ),
    ]


def _audit(connection: Connection[Any], row: str, actor: Any) -> None:
    AuditWriter(row).insert(
        connection,
        "doctor",
        actor=actor,
        table="instagram_accounts",
        target_id=uuid4(),
        before={},
        after={},
        metadata={"run_id": TRIAL_HANDLE},
    )


def _alert(connection: Connection[Any]) -> None:
    key = f"shared/doctor:{TRIAL_HANDLE}"
    claim(connection, "log", [key], {})
    note_sent(connection, "log", [key])


def _look(connection: Connection[Any], domain: str) -> None:
    values = {
        "key": TRIAL_HANDLE,
        "route": "direct",
        "host": "doctor.invalid",
        "now": database_clock(connection),
        "domain": domain,
        "operation": "doctor",
        "target": TRIAL_HANDLE,
    }
    found = connection.execute(COUNT, values).fetchone()
    assert found is not None
    connection.execute(OUTCOME, {"outcome": "ok", "ids": [found[0]]})


def _reserve(connection: Connection[Any], values: dict[str, str]) -> str:
    now = database_clock(connection)
    asked = values | {
        "read_at": now,
        "quota_day": quota_day(now.astimezone(UTC)),
        "kind": "doctor",
        "subject": TRIAL_HANDLE,
        "billed_as": None,
        "grounded": True,
        "input_hash": "0" * 64,
        "config_hash": "0" * 64,
        "attempt": 1,
        "cost_usd": 0,
        "run_id": TRIAL_HANDLE,
        "claim": TRIAL_HANDLE,
    }
    found = connection.execute(RESERVE, asked).fetchone()
    assert found is not None
    place: str = found[0]
    connection.execute(MARK_SENT, [place, STALE_AFTER_S, "{}"])
    return place


def _reply(connection: Connection[Any], values: dict[str, str]) -> None:
    counted = dict.fromkeys(
        ("search_queries", "prompt", "cached", "output", "thoughts", "tool", "latency_ms"), 1
    )
    reply = {
        "id": _reserve(connection, values),
        "reply": "{}",
        "model_version": DEFAULT_MODEL,
        "billed_as": None,
    }
    connection.execute(SETTLE, {**counted, **reply, "cost_usd": 0})


def _error(connection: Connection[Any], values: dict[str, str]) -> None:
    ended = {
        "id": _reserve(connection, values),
        "error": "{}",
        "latency_ms": 1,
        "blocked_until": datetime(2000, 1, 1, tzinfo=UTC),
        "from_states": ["sent"],
    }
    connection.execute(FINISH.format(changes=FAILED), ended)


def _batch(connection: Connection[Any], values: dict[str, str]) -> None:
    now = database_clock(connection)
    zeros = "0" * 64
    batch = values | {
        "name": TRIAL_HANDLE,
        "content": f"{TRIAL_HANDLE} {zeros}",
        "requests": 1,
        "run_id": TRIAL_HANDLE,
        "read_at": now,
        "quota_day": quota_day(now.astimezone(UTC)),
        "lease": LEASE,
        "billed_as": None,
        "subjects": [TRIAL_HANDLE],
        "kinds": ["doctor"],
        "input_hashes": [zeros],
        "config_hashes": [zeros],
        "costs": [0],
        "prompts": [1],
        "outputs": [1],
    }
    connection.execute(ADD_BATCH, batch)
    connection.execute(ADD_REQUESTS, batch)
    connection.execute(MARK_CREATING, {"name": TRIAL_HANDLE})
    connection.execute(MARK_SUBMITTED, {"name": TRIAL_HANDLE, "google_name": "batches/doctor"})
    ended = {"outcome": "gone", "rest": "unknown", "error": "{}", "row_error": "{}"}
    connection.execute(END_BATCH, ended | {"name": TRIAL_HANDLE, "from_states": ["submitted"]})
