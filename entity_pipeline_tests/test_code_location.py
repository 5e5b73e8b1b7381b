"""What Dagster imports to load the code location: declarations, and nothing that a run or a tick works with."""

import os
import subprocess
import sys

import pytest

_LOAD = "import sys, entity_pipeline.definitions as d; d.defs.get_repository_def().load_all_definitions(); "
SDKS_AND_DRIVERS = {
    *("psycopg", "psycopg_pool", "google.genai", "boto3", "instaloader", "PIL", "pycountry", "requests"),
    *("fastapi", "rich", "opentelemetry.sdk"),
}
# The shells have no part in a run; a domain's queries and rules are imported by the run that needs them.
WORKERS = {"work", "queue_work", "ticks", "tick", "queries", "logic", "language", "admin", "cli", "sandbox"}
CLIENTS = {
    "entity_pipeline.resources.gemini.ledger",
    "entity_pipeline.resources.gemini.client",
    "entity_pipeline.resources.instagram.session",
    "entity_pipeline.resources.schema_check",
    "entity_pipeline.domains.entities.links.logic.decide",
    "entity_pipeline.domains.influencers.queue.run",
    "entity_pipeline.domains.influencers.queue.store",
}


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """The modules of a process without any variable of ours that has loaded all definitions."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{_LOAD} print(*sys.modules)"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": "/nonexistent",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return frozenset(ended.stdout.split())


def test_it_loads_without_any_variable_an_sdk_or_a_driver(loaded: frozenset[str]) -> None:
    assert "entity_pipeline.domains.entities.reviews.asset" in loaded
    assert "entity_pipeline.domains.influencers.queue.asset" in loaded
    assert SDKS_AND_DRIVERS & loaded == set()


def test_it_loads_declarations_and_leaves_the_work_to_runs_and_ticks(loaded: frozenset[str]) -> None:
    ours = {name for name in loaded if name.startswith("entity_pipeline.")}
    assert CLIENTS & ours == set()
    assert {name for name in ours if WORKERS & set(name.split("."))} == set()
