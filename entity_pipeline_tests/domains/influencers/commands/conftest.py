"""The verbs in this process, on databases of the test."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.cli.main import build
from entity_pipeline_tests.databases import ClonedDatabase

Run = Callable[..., Result]


@pytest.fixture
def run(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run ``entity-pipeline influencers ...``; a failure is in `exception`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSETS_DATABASE_URL", assets_db.url)
    monkeypatch.setenv("OPERATION_DATABASE_URL", operation_db.url)
    monkeypatch.setenv("COLUMNS", "200")

    def nothing() -> None:
        raise AssertionError("no command here runs a job")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(build(DOMAINS, nothing), ["influencers", *arguments], standalone_mode=False)

    return run


def failure_of(result: Result) -> str:
    """The sentence of a command that failed."""
    assert isinstance(result.exception, Exception), result.output
    assert not isinstance(result.exception, click.ClickException), result.exception.format_message()
    return str(result.exception)
