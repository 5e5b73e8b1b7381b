"""A domain is one folder and one line: the one of docs/adding-a-domain.md, added to a copy of the tree."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entity_pipeline.sandbox.environment import Sandbox
from entity_pipeline_tests.cli.command import Command, Ended
from entity_pipeline_tests.sixth_domain import ROOT, add_line, write_domain

LIMIT_S = 300


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with one folder and one line more."""
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(
        ROOT / "entity_pipeline", root / "entity_pipeline", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, root / name)
    write_domain(root / "entity_pipeline")
    add_line(root)
    return root


@pytest.fixture(scope="module")
def command(tree: Path) -> Iterator[Command]:
    """The command of the copy, in a sandbox of its own."""
    folder = tree / "box"
    yield Command(tree, {"PYTHONPATH": str(tree)}, limit_s=LIMIT_S)
    Sandbox(folder).reset()


@pytest.fixture(scope="module")
def demo(command: Command) -> Ended:
    """The demo of the new domain alone."""
    return command("--dir", "box", "demo", "--only", "post_counts")


@pytest.mark.timeout(LIMIT_S)
def test_the_demo_loads_runs_and_checks_it(demo: Ended) -> None:
    assert demo.code == 0, demo.said
    assert "The posts of the last days are counted." in demo.out


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("doctor",), "Every day with posts is counted."),
        (("status",), "Days that are not counted yet: 0."),
        (("settings", "show", "post_counts"), "days"),
        (("post_counts", "list"), " 2\n"),
        (("--help",), "Count the posts of each day."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_command_knows_it(demo: Ended, command: Command, arguments: tuple[str, ...], says: str) -> None:
    assert demo.code == 0, demo.said
    ended = command("--dir", "box", *arguments)
    assert ended.code == 0, ended.said
    assert says in ended.out


@pytest.mark.timeout(LIMIT_S)
def test_a_setting_of_it_is_changed_and_the_switch_holds_its_job(demo: Ended, command: Command) -> None:
    assert demo.code == 0, demo.said
    changed = command("--dir", "box", "settings", "set", "post_counts", "days=40")
    assert changed.code == 0, changed.said
    assert "40" in command("--dir", "box", "settings", "show", "post_counts").out
    refused = command("--dir", "box", "settings", "set", "post_counts", "days=0")
    assert "days" in refused.failure
    assert command("--dir", "box", "settings", "disable", "post_counts").code == 0
    stopped = command("--dir", "box", "demo", "--only", "post_counts")
    assert "post_counts stopped" in stopped.said
    assert command("--dir", "box", "settings", "enable", "post_counts").code == 0


def test_it_keeps_the_import_contracts(tree: Path) -> None:
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_its_files_pass_the_lint(tree: Path) -> None:
    ruff = Path(sys.executable).parent / "ruff"
    for checks in (["check"], ["format", "--check"]):
        checked = subprocess.run(
            [ruff, *checks, "--no-cache", "entity_pipeline"], cwd=tree, capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stdout
