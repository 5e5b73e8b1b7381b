"""The table of a queue in the test's database."""

from collections.abc import Iterator

import pytest

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.shared.tasks.errands import Connection, make_table


@pytest.fixture
def queue_db(assets_db: ClonedDatabase) -> ClonedDatabase:
    """`assets_db` with the table."""
    with assets_db.connection() as connection:
        make_table(connection)
    return assets_db


@pytest.fixture
def queue(queue_db: ClonedDatabase) -> Iterator[Connection]:
    """A connection to it."""
    with queue_db.connection() as connection:
        yield connection
