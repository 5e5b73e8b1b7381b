import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entity_pipeline.cli.connections import FIRST_DAY, connected, first_day_of
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.sandbox.state import State

OPERATION, ASSETS = "postgresql://u:p@db.example/operation", "postgresql://u:p@db.example/assets"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove what `connected` puts into the environment after the test."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)


def named(**variables: str) -> None:
    os.environ.update({"OPERATION_DATABASE_URL": OPERATION, "ASSETS_DATABASE_URL": ASSETS, **variables})


def connect(directory: Path = Path("sandbox")) -> dict[str, str]:
    """The variables that a command sees."""
    before = set(os.environ)
    with connected(directory) as is_sandbox:
        assert not is_sandbox
        return {name: value for name, value in os.environ.items() if name not in before}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("OPERATION_DATABASE_URL", "ASSETS_DATABASE_URL"),
        ("ASSETS_DATABASE_URL", "OPERATION_DATABASE_URL"),
    ],
)
@pytest.mark.parametrize("empty", [False, True], ids=["unset", "empty"])
def test_one_database_without_the_other_is_refused(given: str, missing: str, empty: bool) -> None:
    os.environ[given] = OPERATION
    if empty:
        os.environ[missing] = ""
    with pytest.raises(ConfigurationFailure, match=f"^{given} is set but {missing} is not: set both"):
        connect()


@pytest.mark.parametrize("start_sandbox", [False, True])
def test_half_a_configuration_never_falls_back_to_the_sandbox(start_sandbox: bool) -> None:
    os.environ["ASSETS_DATABASE_URL"] = ASSETS
    with (
        pytest.raises(ConfigurationFailure, match="is not: set both"),
        connected(Path("sandbox"), start_sandbox=start_sandbox),
    ):
        pass
    assert not Path("sandbox").exists()


def test_a_command_that_fills_a_sandbox_refuses_named_databases() -> None:
    named()
    with (
        pytest.raises(ConfigurationFailure, match="name databases, but this command fills a sandbox"),
        connected(Path("sandbox"), start_sandbox=True),
    ):
        pass
    assert not Path("sandbox").exists()


def test_without_databases_and_without_a_sandbox_it_says_what_to_do() -> None:
    with pytest.raises(
        ConfigurationFailure, match=r"no sandbox in sandbox: .* run `entity-pipeline demo` first"
    ):
        connect()
    assert not Path("sandbox").exists()


def test_named_databases_get_nothing_of_the_sandbox() -> None:
    folder = Path("sandbox")
    folder.mkdir()
    (folder / "state.json").write_text('{"gemini_port": 1}')
    named()
    assert connect(folder) == {}


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_local_servers_need_no_credentials(host: str) -> None:
    named(GEMINI_BASE_URL=f"http://{host}", R2_ENDPOINT_URL=f"http://{host}/")
    assert connect() == {
        "GEMINI_API_KEY": "local",
        "R2_ACCESS_KEY_ID": "local",
        "R2_SECRET_ACCESS_KEY": "local",
        "R2_BUCKET": "entity-pipeline",
        "R2_PUBLIC_BASE_URL": f"http://{host}/entity-pipeline",
    }


@pytest.mark.parametrize(
    "host", ["generativelanguage.googleapis.com", "127.0.0.1.example.com", "10.0.0.1", "localhost.example"]
)
def test_a_real_service_never_gets_made_up_credentials(host: str) -> None:
    named(GEMINI_BASE_URL=f"https://{host}", R2_ENDPOINT_URL=f"https://{host}")
    assert connect() == {}


def test_what_a_person_set_is_kept() -> None:
    named(
        GEMINI_BASE_URL="http://127.0.0.1:9",
        GEMINI_API_KEY="mine",
        R2_ENDPOINT_URL="http://127.0.0.1:9",
        R2_BUCKET="pictures",
    )
    assert connect() == {
        "R2_ACCESS_KEY_ID": "local",
        "R2_SECRET_ACCESS_KEY": "local",
        "R2_PUBLIC_BASE_URL": "http://127.0.0.1:9/pictures",
    }
    assert (os.environ["GEMINI_API_KEY"], os.environ["R2_BUCKET"]) == ("mine", "pictures")


def test_a_local_store_is_read_where_it_is_written_even_with_credentials_of_its_own() -> None:
    named(R2_ENDPOINT_URL="http://127.0.0.1:9", R2_ACCESS_KEY_ID="mine", R2_SECRET_ACCESS_KEY="mine")
    assert connect() == {
        "R2_BUCKET": "entity-pipeline",
        "R2_PUBLIC_BASE_URL": "http://127.0.0.1:9/entity-pipeline",
    }


def test_the_first_partition_of_a_sandbox_is_that_of_its_sample_and_never_moves(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    assert first_day_of(tmp_path) == (today - timedelta(days=6)).isoformat()
    State(tmp_path).remember(FIRST_DAY, "2026-01-01")
    assert first_day_of(tmp_path) == "2026-01-01"
