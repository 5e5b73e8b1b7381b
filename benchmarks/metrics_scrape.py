"""Milliseconds of one scrape of /metrics at 1,000,000 accounts and a full day of the ledger, and what it costs.

    .venv/bin/python benchmarks/metrics_scrape.py [ACCOUNTS] [--keep FOLDER]

The accounts are those of `many_accounts.py`. The ledger gets 30 days of 1,500 requests. A scrape that reads the
databases, one within the seconds for which figures are cached, and one of an empty installation are shown beside each
other.
"""

import secrets
from typing import Any

import dagster as dg
import psycopg
from many_accounts import run, timed
from rich.console import Console
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.gemini import gemini_part
from entity_pipeline.admin.metrics.part import Asking
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.domains.entities.page.metrics import accounts_part
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource, open_database
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

TOKEN = secrets.token_hex()
TIMES = 9
_LEDGER = """
insert into gemini_usage_events (created_at, quota_day, pipeline, step, model, grounded, state, subject,
  search_queries, cost_usd, model_version)
select at, (at at time zone 'America/Los_Angeles')::date, 'entity_enrichment', 'instagram_account_review',
  'gemini-2.5-flash', true, case n % 20 when 0 then 'failed' when 1 then 'unknown' else 'settled' end, 'a_' || n, 2,
  0.0016, 'gemini-2.5-flash'
from generate_series(1, 45000) n, lateral (select now() - n / 1500.0 * interval '1 day' as at) times
"""


def installation_on(postgres: EmbeddedPostgres, assets_db: Any, operation_db: Any) -> Installation:
    """An installation without Dagster, whose storage is not measured here."""

    def no_dagster() -> dg.DagsterInstance:
        raise dg.DagsterError("none")

    assets = PostgresResource(url=postgres.url("assets"))
    operation = PostgresResource(url=postgres.url("operation"))
    return Installation(
        operation_db=operation_db,
        assets_db=assets_db,
        settings=SettingsStore(assets_db=assets, operation_db=operation),
        gemini=GeminiResource(assets_db=assets, api_key="k"),
        dagster=DagsterRecords(None, no_dagster),
        pipelines={domain.row: domain.key for domain in DOMAINS},
    )


def measure(postgres: EmbeddedPostgres, console: Console) -> None:
    """Print what the parts and a whole scrape take."""
    with (
        open_database(postgres.url("assets"), max_connections=4) as assets_db,
        open_database(postgres.url("operation"), max_connections=4) as operation_db,
    ):
        installation = installation_on(postgres, assets_db, operation_db)
        servers = [
            TestClient(
                create_app(DOMAINS, installation, AdminConfiguration(TOKEN)),
                base_url="http://127.0.0.1",
                headers={"Authorization": f"Bearer {TOKEN}"},
            )
            for _ in range(TIMES + 1)
        ]
        unread = iter(servers)
        ledger_ms, _ = timed(lambda: gemini_part(installation).read(Asking()), TIMES)
        accounts_ms, _ = timed(lambda: accounts_part(installation).read(Asking()), TIMES)
        anew_ms, size = timed(lambda: len(next(unread).get("/metrics").content), TIMES)
        cached_ms, _ = timed(lambda: servers[-1].get("/metrics"), TIMES)
        console.print(
            f"ledger {ledger_ms:.0f} ms, accounts {accounts_ms:.0f} ms; a scrape that reads {anew_ms:.0f} ms, "
            f"of cached figures {cached_ms:.1f} ms, {size:,} bytes"
        )


def before(postgres: EmbeddedPostgres, console: Console) -> None:
    console.print("empty:", end=" ")
    measure(postgres, console)
    with psycopg.connect(postgres.url("assets"), autocommit=True) as ledger:
        ledger.execute(_LEDGER)
        ledger.execute("vacuum analyze gemini_usage_events")


if __name__ == "__main__":
    run("A scrape of /metrics.", measure, before)
