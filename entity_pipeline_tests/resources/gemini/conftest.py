"""The ledger on its own database, and a port where nothing answers, for tests of an unreachable server."""

import socket
from collections.abc import Iterator

import pytest

from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline_tests.databases import ClonedDatabase


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections, and that no other process can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def ledger(assets_db: ClonedDatabase) -> Ledger:
    """The ledger on `assets_db`, by the clock of the server."""
    return Ledger(assets_db)
