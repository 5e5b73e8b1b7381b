"""A day of chaos in the test run; `python -m entity_pipeline_tests.reliability.soak` is the week."""

import os

import pytest

from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.reliability.soak import soak

SEED = int(os.environ.get("SOAK_SEED", "7"))
DAYS = int(os.environ.get("SOAK_DAYS", "1"))


@pytest.mark.nightly
@pytest.mark.timeout(1_800)  # a loaded machine, or more days
def test_every_promise_is_kept_through_chaos(database_server: DatabaseServer) -> None:
    report = soak(database_server, SEED, DAYS, accounts_a_day=8)
    assert report.breaches == [], (f"SOAK_SEED={SEED} SOAK_DAYS={DAYS}", report.failures, report.waits)
    counts = report.counts
    assert counts["runs in the worker: killed"], counts
    assert (
        counts["requests to Gemini, grounded"]
        > counts["answers of Gemini: 200"] - counts["requests to Gemini, repairs"]
    )
    assert counts["runs struck by a failure"], counts
