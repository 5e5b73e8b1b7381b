"""The files a fresh clone is installed from, and the list of its environment variables."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from entity_pipeline.core.gemini.models import DEFAULT_MODEL

ROOT = Path(__file__).parent.parent
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", CONSTRAINTS, re.MULTILINE)
}
REQUIREMENTS = [
    Requirement(text)
    for group in (
        PYPROJECT["build-system"]["requires"],
        PYPROJECT["project"]["dependencies"],
        *PYPROJECT["project"]["optional-dependencies"].values(),
    )
    for text in group
]
VARIABLES = {
    "OPERATION_DATABASE_URL",
    "ASSETS_DATABASE_URL",
    "ENTITY_PIPELINE_FIRST_DAY",
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
    "ADMIN_HOSTS",
    "SCRAPER_API_KEY",
    "ADMIN_EDIT_URL",
    "ADMIN_USER_HEADER",
    "DAGSTER_UI_URL",
    "ADMIN_URL",
    "ALERT_WEBHOOK_URL",
    "ALERT_SMTP_URL",
    "ALERT_EMAIL_FROM",
    "ALERT_EMAIL_TO",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "DAGSTER_HOME",
    "DAGSTER_POSTGRES_URL",
}


def test_the_example_environment_names_every_variable_once_and_holds_no_secret() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assignments = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    assert sorted(name for name, _ in assignments) == sorted(VARIABLES)
    assert {name: value for name, value in assignments if value} == {"GEMINI_MODEL": DEFAULT_MODEL}


def test_the_code_reads_no_variable_that_the_example_does_not_name() -> None:
    reads = re.compile(
        r"""(?:EnvVar\(|environ\[|environ(?:ment)?\.get\(|_address\(|getenv\(|_if_set\()\s*["']([A-Z][A-Z0-9_]+)["']""",
    )
    read = {
        name
        for path in (ROOT / "entity_pipeline").rglob("*.py")
        for name in reads.findall(path.read_text(encoding="utf-8"))
    }
    assert read & VARIABLES, "the pattern above finds nothing any more"
    assert read - VARIABLES <= {"PATH", "PGSSLMODE", "PYTHONPATH"}, "those are of libpq, Python and the shell"


def test_the_constraints_name_versions_and_hashes_and_no_place_to_get_them_from() -> None:
    requirement = r"[\w.-]+==[\w.!+]+( ; [^\\]+)? \\"
    for line in CONSTRAINTS.splitlines():
        assert re.fullmatch(rf"#.*|{requirement}|    --hash=sha256:[0-9a-f]{{64}}( \\)?", line), line
    assert not re.search(r"https?:|file:|://|index|find-links|\.org|\.com", CONSTRAINTS)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_the_packages_of_dagster_are_of_one_release() -> None:
    family = {PINS[name] for name in ("dagster", "dagster-webserver", "dagster-graphql", "dagster-shared")}
    assert len(family) == 1
    assert PINS["dagster-postgres"].split(".")[-1] == family.pop().split(".")[-1]


def test_files_that_are_not_python_are_packaged_too() -> None:
    packaged = {pattern.removeprefix("*") for pattern in PYPROJECT["tool"]["setuptools"]["package-data"]["*"]}
    found = {
        path.suffix or path.name
        for path in (ROOT / "entity_pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".py"
    }
    assert {".sql"} <= found <= packaged


def test_the_licence_is_the_one_that_is_named() -> None:
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text(
        encoding="utf-8"
    )
