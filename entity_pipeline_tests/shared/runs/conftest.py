from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from entity_pipeline_tests.shared.runs.two_domains import queueing_instance


@pytest.fixture
def instance(fast_path: Path) -> Iterator[dg.DagsterInstance]:
    with queueing_instance(fast_path) as made:
        yield made
