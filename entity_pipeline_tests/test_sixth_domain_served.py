"""The domain of docs/adding-a-domain.md beside the others, in this process: page, API, metrics, code location."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
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
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.admin.installations import CONFIGURATION, api_of, installation_of, signed_in
from entity_pipeline_tests.admin.test_metrics import scraped
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.notifications import FakeNotifications
from entity_pipeline_tests.shared.runs import two_domains
from entity_pipeline_tests.shared.runs.two_domains import queueing_instance
from entity_pipeline_tests.sixth_domain import listings, write_domain

PAGE = "/admin/data-pipeline/post-counts"
POST = """
insert into raw_posts (platform, external_id, platform_metadata, created_at) values ('instagram', %s, '{}', now())
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Domain]]:
    """The installed domains and the one of the page, from a separate folder."""
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


def test_its_alerts_are_sent_with_all_others(
    both: Sequence[Domain], resources: dict[str, Any], migrated: ClonedDatabase
) -> None:
    definitions, told = build_definitions(resources, both), FakeNotifications()
    sensor = definitions.resolve_sensor_def("alerts_sensor")
    wanted = {
        **resources,
        "notifications": told,
        "gemini": GeminiResource(assets_db=resources["assets_db"], api_key="k"),
    }
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, resources=wanted, definitions=definitions) as context,
    ):
        sensor.evaluate_tick(context)
    assert "No post was counted since the beginning." in " ".join(message.text for _, message in told.sent)
    with migrated.connection() as connection:
        keys = connection.execute("select alert from pipeline_alerts").fetchall()
    assert ("post_counts/no_posts",) in keys


def test_its_switch_cancels_its_queued_runs_and_no_others(
    both: Sequence[Domain], resources: dict[str, Any], migrated: ClonedDatabase, tmp_path: Path
) -> None:
    with migrated.connection() as connection:
        connection.execute("update pipeline_settings set is_enabled = (platform <> 'post_counts')")
    definitions = build_definitions(resources, both)
    sensor = definitions.resolve_sensor_def("switch_off_sensor")
    with queueing_instance(tmp_path) as instance:
        queued = {
            name: instance.create_run_for_job(
                job,
                tags=job.tags,
                status=dg.DagsterRunStatus.QUEUED,
                remote_job_origin=two_domains._origin(name),
            ).run_id
            for name in ("post_counts_job", "linking_job")
            for job in [definitions.resolve_job_def(name)]
        }
        with dg.build_sensor_context(
            instance=instance, resources={"settings": resources["settings"]}, definitions=definitions
        ) as context:
            sensor.evaluate_tick(context)
        left = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    assert [run.run_id for run in left] == [queued["linking_job"]]
