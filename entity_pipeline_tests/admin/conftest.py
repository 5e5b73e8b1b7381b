"""The application in-process on two real databases, with and without a signed-in person."""

from typing import Any

import dagster as dg
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.admin.desk import Desk
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.databases import ClonedDatabase

TOKEN = "a-token-of-a-test-that-is-long"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ORIGIN = "http://127.0.0.1:3080"


def no_dagster() -> dg.DagsterInstance:
    """Dagster's storage is away."""
    raise dg.DagsterError("away")


@pytest.fixture
def desk(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Desk:
    """Nothing in it but what migrations make: a row of settings that is switched off."""
    assets = PostgresResource(url=assets_db.url)
    return Desk(
        operation_db=operation_db,
        assets_db=assets_db,
        settings=SettingsStore(assets_db=assets, operation_db=PostgresResource(url=operation_db.url)),
        gemini=GeminiResource(assets_db=assets, api_key="k"),
        dagster=DagsterRecords("http://127.0.0.1:3000", no_dagster),
        dagster_url="http://127.0.0.1:3000",
        edit_url="https://catalog.example/accounts",
    )


@pytest.fixture
def app(desk: Desk) -> FastAPI:
    return create_app(desk, AdminConfiguration(TOKEN, picture_origin="https://pictures.example"))


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """A program without a token."""
    return TestClient(app, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def api(app: FastAPI) -> TestClient:
    """A program with the token."""
    return TestClient(app, base_url=ORIGIN, headers=BEARER, raise_server_exceptions=False)


def insert_account(connection: Any, username: str, enrichment: Any = None, **columns: Any) -> Any:
    """One account; `columns` beside username and metadata.entity_enrichment. Returns its id."""
    from psycopg import sql
    from psycopg.types.json import Jsonb

    values = {"username": username, **columns}
    if enrichment is not None:
        values["metadata"] = Jsonb({"entity_enrichment": enrichment})
    query = sql.SQL("insert into instagram_accounts ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(map(sql.Placeholder, values))
    )
    return connection.execute(query, values).fetchone()[0]
