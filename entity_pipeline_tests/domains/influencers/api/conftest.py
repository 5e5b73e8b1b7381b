"""The API alone over a real database, and callers with and without the key."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from entity_pipeline.domains.influencers.api.access import ApiSettings
from entity_pipeline.domains.influencers.api.app import StoredPool, create_app
from entity_pipeline_tests.databases import ClonedDatabase

KEY = "a-key-of-a-test-that-is-long"
BEARER = {"Authorization": f"Bearer {KEY}"}
ORIGIN = "http://127.0.0.1:8001"


def app_on(database: Any, key: str | None = KEY) -> FastAPI:
    return create_app(database, StoredPool(database), ApiSettings(key))


def caller(app: FastAPI, **headers: str) -> TestClient:
    return TestClient(app, base_url=ORIGIN, headers=headers, raise_server_exceptions=False)


@pytest.fixture
def app(assets_db: ClonedDatabase) -> FastAPI:
    return app_on(assets_db)


@pytest.fixture
def api(app: FastAPI) -> TestClient:
    """A caller with the key."""
    return caller(app, **BEARER)


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    """A caller without the key."""
    return caller(app)
