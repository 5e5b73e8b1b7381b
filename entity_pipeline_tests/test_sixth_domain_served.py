"""The domain of docs/adding-a-domain.md beside the others, in this process: page, API, metrics, code location."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import psycopg
import pytest
from fastapi import FastAPI

from entity_pipeline import domains as domains_package
from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.paths import HOME_PATH
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.domain import Domain
from entity_pipeline.definitions import build_definitions
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.admin.installations import CONFIGURATION, api_of, installation_of, signed_in
from entity_pipeline_tests.admin.test_metrics import scraped
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.sixth_domain import listings, write_domain

PAGE = "/admin/data-pipeline/post-counts"
POST = """
insert into raw_posts (platform, external_id, platform_metadata, created_at) values ('instagram', %s, '{}', now())
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Domain]]:
    """The domains that there are and the one of the page, from a folder of its own."""
    folder = tmp_path_factory.mktemp("sixth")
    write_domain(folder)
    domains_package.__path__.append(str(folder / "domains"))
    try:
        module = importlib.import_module("entity_pipeline.domains.post_counts.domain")
        yield [*DOMAINS, module.post_counts]
    finally:
        domains_package.__path__.remove(str(folder / "domains"))
        for name in [name for name in sys.modules if name.startswith("entity_pipeline.domains.post_counts")]:
            del sys.modules[name]
        del domains_package.post_counts  # type: ignore[attr-defined]


@pytest.fixture
def migrated(assets_db: ClonedDatabase) -> ClonedDatabase:
    """The assets database with the domain's table, its row switched on, and two posts of today."""
    [sql] = [text for path, text in listings().items() if path.endswith(".sql")]
    with assets_db.connection() as connection:
        connection.execute(sql.encode())
        connection.execute("update pipeline_settings set is_enabled = true where platform = 'post_counts'")
        for name in ("one", "two"):
            connection.execute(POST, [name])
    return assets_db


@pytest.fixture
def resources(migrated: ClonedDatabase, operation_db: ClonedDatabase) -> dict[str, Any]:
    assets, operation = PostgresResource(url=migrated.url), PostgresResource(url=operation_db.url)
    store = SettingsStore(assets_db=assets, operation_db=operation)
    return {"assets_db": assets, "operation_db": operation, "settings": store}


@pytest.fixture
def app(both: Sequence[Domain], migrated: ClonedDatabase, operation_db: ClonedDatabase) -> FastAPI:
    return create_app(both, installation_of(migrated, operation_db), CONFIGURATION)


def count(both: Sequence[Domain], resources: dict[str, Any]) -> int:
    """Run its job; returns how many rows it changed."""
    job = build_definitions(resources, both).resolve_job_def("post_counts_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    [made] = result.asset_materializations_for_node("post_counts")
    return int(str(made.metadata["rows_changed"].value))


def test_its_asset_is_in_the_code_location_and_a_second_run_writes_nothing(
    both: Sequence[Domain], resources: dict[str, Any]
) -> None:
    assert [count(both, resources), count(both, resources)] == [1, 0]


def test_its_page_its_file_its_api_and_its_metric_are_there(
    both: Sequence[Domain], resources: dict[str, Any], app: FastAPI
) -> None:
    person, api = signed_in(app), api_of(app)
    assert "Nothing is counted yet." in person.get(f"{PAGE}?lang=en").text
    assert "1 day" in person.get(f"{HOME_PATH}?lang=en").text
    count(both, resources)
    assert "게시물 2개" in person.get(f"{PAGE}?lang=ko").text
    assert person.get(f"{PAGE}/days.csv").text.endswith(",2\n")
    assert list(api.get("/api/v1/post_counts/days").json().values()) == [2]
    found = scraped(api)
    assert (found["post_counts_days",], found["up", "post_counts"], found["gate_open", "post_counts"]) == (
        1,
        1,
        1,
    )


def test_its_switch_and_its_settings_are_on_the_page(app: FastAPI, assets: psycopg.Connection[Any]) -> None:
    person = signed_in(app)
    form = person.get(f"{PAGE}/-/settings?lang=en").text
    assert "Days to count" in form
    csrf = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    [at] = assets.execute(
        "select updated_at from pipeline_settings where platform = 'post_counts'"
    ).fetchone() or [""]
    sent = {"csrf_token": csrf, "is_enabled": "false", "updated_at": at.isoformat(), "next": ""}
    assert person.post(f"{PAGE}/-/switch", data=sent).status_code == 303
    stored = "select is_enabled from pipeline_settings where platform = 'post_counts'"
    assert assets.execute(stored).fetchone() == (False,)
