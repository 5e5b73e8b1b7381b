"""The whole sandbox: every variable, with something that answers behind it."""

import functools
import json
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from cryptography.fernet import Fernet

from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.resources.postgres import libpq_url
from entity_pipeline.sandbox import environment, processes

Sandbox = functools.partial(environment.Sandbox, durable=False)

VARIABLES = {
    "OPERATION_DATABASE_URL",
    "ASSETS_DATABASE_URL",
    "R2_ENDPOINT_URL",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "R2_BUCKET",
    "R2_PUBLIC_BASE_URL",
    "GEMINI_API_KEY",
    "GEMINI_BASE_URL",
    "GEMINI_MODEL",
    "GEMINI_REQUEST_KEYS",
    "INSTAGRAM_BASE_URL",
    "INSTAGRAM_SESSION_KEYS",
    "ADMIN_TOKEN",
    "SCRAPER_API_KEY",
    "DAGSTER_HOME",
    "DAGSTER_POSTGRES_URL",
}


def processes_of(folder: Path) -> int:
    found: list[list[str]] = []

    def note(arguments: list[str]) -> bool:
        if any(part.startswith(str(folder)) for part in arguments[1:]):
            found.append(arguments)
        return False

    processes.find(note)
    return len(found)


@pytest.fixture
def folder(fast_path: Path) -> Iterator[Path]:
    folder = fast_path / "box"
    yield folder
    Sandbox(folder).reset()


def test_every_variable_leads_to_something_that_answers_and_stays_over_a_restart(folder: Path) -> None:
    with Sandbox(folder) as variables:
        assert set(variables) == VARIABLES
        assert all(variables.values())
        for name in ("OPERATION_DATABASE_URL", "ASSETS_DATABASE_URL", "DAGSTER_POSTGRES_URL"):
            psycopg.connect(libpq_url(variables[name])).close()
        assert variables["DAGSTER_POSTGRES_URL"].startswith("postgresql+psycopg2://")
        for name in ("GEMINI_BASE_URL", "INSTAGRAM_BASE_URL"):
            assert processes.http_status(urlsplit(variables[name]).port or 0, "/_standin/health") == 200
        for name in ("R2_ENDPOINT_URL", "R2_PUBLIC_BASE_URL"):
            assert processes.http_status(urlsplit(variables[name]).port or 0) is not None
        for name in ("GEMINI_REQUEST_KEYS", "INSTAGRAM_SESSION_KEYS"):
            Fernet(variables[name].encode())
        assert variables["GEMINI_REQUEST_KEYS"] != variables["INSTAGRAM_SESSION_KEYS"]
        assert list(Path(variables["DAGSTER_HOME"]).iterdir()) == []
        assert processes_of(folder) == 4
    assert processes_of(folder) == 0
    with Sandbox(folder) as again:
        assert again == variables
    assert stat.S_IMODE((folder / "state.json").stat().st_mode) == 0o600


def test_two_sandboxes_have_no_secret_in_common(folder: Path, fast_path: Path) -> None:
    other = Sandbox(fast_path / "other")
    with Sandbox(folder) as mine, other as theirs:
        same = {name for name in VARIABLES if mine[name] == theirs[name]}
    other.reset()
    assert same == {"R2_BUCKET", "GEMINI_MODEL"}


def test_eight_users_that_start_at_once_share_one_set_of_servers(folder: Path) -> None:
    together = threading.Barrier(8)

    def use(_: int) -> tuple[str, int]:
        with Sandbox(folder) as variables:
            together.wait()
            count = processes_of(folder)
            together.wait()
            return json.dumps(variables, sort_keys=True), count

    with ThreadPoolExecutor(8) as threads:
        seen = set(threads.map(use, range(8)))
    assert len(seen) == 1
    assert seen.pop()[1] == 4
    assert processes_of(folder) == 0


def test_a_sandbox_in_use_does_not_change_its_chaos_and_one_that_is_not_does(folder: Path) -> None:
    with Sandbox(folder), Sandbox(folder), pytest.raises(ConfigurationFailure, match="another --chaos"):
        Sandbox(folder, chaos=7).start()
    with Sandbox(folder, chaos=7), Sandbox(folder, chaos=7):
        assert processes.find(lambda arguments: arguments[-2:] == ["--chaos", "7"]) is not None


def test_a_reset_forgets_everything_and_is_refused_for_a_folder_in_use(folder: Path) -> None:
    with Sandbox(folder) as before:
        with pytest.raises(InputRejected, match="in use"):
            Sandbox(folder).reset()
        psycopg.connect(before["ASSETS_DATABASE_URL"]).close()
    Sandbox(folder).reset()
    assert not folder.exists()
    with Sandbox(folder) as after:
        assert after["ADMIN_TOKEN"] != before["ADMIN_TOKEN"]
