"""An installation of the pages on two real databases, and the fixtures that tests of pages share."""

from functools import cache
from typing import Any

import dagster as dg
import pytest
from fastapi import FastAPI
from psycopg import sql
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.automation import Automation, automation_of
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.paths import SIGN_IN_PATH
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.database import FollowedDatabase

TOKEN = "a-token-of-a-test-that-is-long"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ORIGIN = "http://127.0.0.1:3080"
DAGSTER_URL = "http://127.0.0.1:3000"
CONFIGURATION = AdminConfiguration(TOKEN, picture_origin="https://pictures.example")


def no_dagster() -> dg.DagsterInstance:
    """A Dagster whose storage can't be reached."""
    raise dg.DagsterError("away")


@cache
def automation() -> Automation:
    """The domain of each run, for the installed domains."""
    return automation_of(DOMAINS)


def installation_of(
    assets_db: Any, operation_db: Any, *, dagster: DagsterRecords | None = None
) -> Installation:
    """An installation on these databases, without Dagster if nothing else is given."""
    assets = PostgresResource(url=assets_db.url) if isinstance(assets_db, ClonedDatabase) else assets_db
    operation = (
        PostgresResource(url=operation_db.url) if isinstance(operation_db, ClonedDatabase) else operation_db
    )
    return Installation(
        operation_db=operation_db,
        assets_db=FollowedDatabase(assets_db, operation_db)
        if isinstance(assets_db, ClonedDatabase) and isinstance(operation_db, ClonedDatabase)
        else assets_db,
        settings=SettingsStore(assets_db=assets, operation_db=operation),
        gemini=GeminiResource(assets_db=assets, api_key="k"),
        dagster=dagster or DagsterRecords(DAGSTER_URL, no_dagster),
        automation=automation(),
        pipelines={domain.row: domain.key for domain in DOMAINS},
        dagster_url=DAGSTER_URL,
        edit_url="https://catalog.example/accounts",
    )


@pytest.fixture
def installation(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Installation:
    """An installation with only what migrations create: rows of settings, the domains' switched off."""
    return installation_of(assets_db, operation_db)


@pytest.fixture
def app(installation: Installation) -> FastAPI:
    """The application with the installed domains."""
    return create_app(DOMAINS, installation, CONFIGURATION)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """A program without a token."""
    return TestClient(app, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def api(app: FastAPI) -> TestClient:
    """A program with the token."""
    return api_of(app)


@pytest.fixture
def person(app: FastAPI) -> TestClient:
    """A browser that is signed in."""
    return signed_in(app)


def api_of(app: FastAPI) -> TestClient:
    """A program with the token."""
    return TestClient(app, base_url=ORIGIN, headers=BEARER, raise_server_exceptions=False)


def signed_in(app: FastAPI) -> TestClient:
    """A browser that is signed in."""
    client = TestClient(app, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False)
    client.post(SIGN_IN_PATH, data={"token": TOKEN, "name": "Min-ji"})
    return client


def insert_account(connection: Any, username: str, enrichment: Any = None, **columns: Any) -> Any:
    """One account; `columns` beside username and metadata.entity_enrichment. Returns its id."""
    values = {"username": username, **columns}
    if enrichment is not None:
        values["metadata"] = Jsonb({"entity_enrichment": enrichment})
    query = sql.SQL("insert into instagram_accounts ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(map(sql.Placeholder, values))
    )
    return connection.execute(query, values).fetchone()[0]
