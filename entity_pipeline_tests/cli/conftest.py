"""The environment that names a test's databases to a command."""

from collections.abc import Mapping

import pytest

from entity_pipeline_tests.databases import ClonedDatabase


@pytest.fixture
def database_variables(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Mapping[str, str]:
    """Environment variables that name both databases."""
    return {"ASSETS_DATABASE_URL": assets_db.url, "OPERATION_DATABASE_URL": operation_db.url}
