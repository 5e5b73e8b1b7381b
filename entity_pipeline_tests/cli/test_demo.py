"""The demo as a newcomer runs it, and what it leaves behind: correct rows of every domain, and no secret anywhere."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from entity_pipeline.sandbox.environment import Sandbox
from entity_pipeline.sandbox.postgres import pg_dump
from entity_pipeline_tests.cli.command import Command

pytestmark = pytest.mark.timeout(600)  # two domains, on a machine that may be busy

SECRETS = (
    "GEMINI_API_KEY",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "GEMINI_REQUEST_KEYS",
    "INSTAGRAM_SESSION_KEYS",
    "ADMIN_TOKEN",
    "SCRAPER_API_KEY",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A finished demo: its folder, and everything it printed."""
    directory = tmp_path_factory.mktemp("demo") / "sandbox"
    process = Command(directory.parent, {}).start("--dir", str(directory), "demo")
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    yield directory, out + err
    Sandbox(directory).reset()


def test_the_demo_shows_the_cap_and_ends_with_every_account_where_it_should_be(
    demo: tuple[Path, str],
) -> None:
    _, printed = demo
    assert "Cap reached: 300 of 300" in printed
    assert "not as expected" not in printed
    assert "Where to look next" in printed


def test_the_demo_of_the_influencers_shows_what_was_found_and_what_it_cost(demo: tuple[Path, str]) -> None:
    _, printed = demo
    assert "32 bloggers are named by hand" in printed
    assert re.search(r"insights\W+described\W+53\b", printed)
    assert re.search(r"#달토끼맛집\W+added\W+10\b", printed)
    assert "8.2 times as many" in printed
    assert re.search(r"0\.0\d+ USD for answers, as billed", printed)


def test_no_secret_is_in_anything_a_full_run_leaves_behind(demo: tuple[Path, str]) -> None:
    directory, printed = demo
    with Sandbox(directory) as environment:
        password = environment["ASSETS_DATABASE_URL"].split(":")[2].split("@")[0]
        secrets = {"database password": password} | {name: environment[name] for name in SECRETS}
        places = {"the printed text": printed}
        for name in ("DAGSTER_POSTGRES_URL", "ASSETS_DATABASE_URL", "OPERATION_DATABASE_URL"):
            places[f"the database of {name}"] = pg_dump(environment[name])
    for folder, _, files in os.walk(directory):
        if Path(folder) == directory:  # where the secrets are kept, for their owner only
            files.remove("state.json")
        if "data" not in Path(folder).relative_to(directory).parts:  # PostgreSQL's own files
            places |= {f"{folder}/{file}": Path(folder, file).read_text(errors="replace") for file in files}
    assert len(places["the database of DAGSTER_POSTGRES_URL"]) > 100_000  # there is something to look through
    found = [
        f"{secret} in {place}"
        for place, text in places.items()
        for secret, value in secrets.items()
        if value in text
    ]
    assert found == []
