"""`sandbox run` and `sandbox env`: other commands on the sandbox's servers, and one `up` for one sandbox."""

import shlex
from pathlib import Path

import pytest

from entity_pipeline.cli.serve import alone
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline_tests.cli.command import Command


def test_without_a_sandbox_there_is_nothing_to_run_in(tmp_path: Path) -> None:
    for verb in (("run", "true"), ("env",)):
        assert Command(tmp_path, {})("sandbox", *verb).failure == (
            "There is no sandbox in .sandbox: run `entity-pipeline demo` first."
        )


@pytest.mark.nightly
def test_other_commands_run_with_the_servers_and_variables_of_the_sandbox(tmp_path: Path) -> None:
    command = Command(tmp_path, {}, limit_s=300)
    assert command("demo").code == 0
    said = command("sandbox", "run", "sh", "-c", 'echo "$GEMINI_BASE_URL"; exit 3')
    assert said.code == 3, said.said
    assert said.out.startswith("http://127.0.0.1:")
    printed = command("sandbox", "env").out
    names = [shlex.split(line)[1].partition("=")[0] for line in printed.splitlines()]
    assert {"DAGSTER_HOME", "DAGSTER_POSTGRES_URL", "OPERATION_DATABASE_URL"} <= set(names)
    materialized = command(
        "sandbox", "run", "dagster", "asset", "materialize", "-m", "entity_pipeline.definitions", "--select",
        "enrichment_queue",
    )  # fmt: skip
    assert materialized.code == 0, materialized.said
    assert "Traceback" not in materialized.said


def test_a_sandbox_is_served_by_one_up_only(tmp_path: Path) -> None:
    with alone(tmp_path):
        with pytest.raises(ConfigurationFailure, match="Another `up` already serves the sandbox in"):
            alone(tmp_path).__enter__()
    with alone(tmp_path):
        pass
