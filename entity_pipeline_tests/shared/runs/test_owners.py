import dagster as dg

from entity_pipeline.shared.runs.owners import RunOwners, owners
from entity_pipeline.shared.runs.tags import DOMAIN_TAG
from entity_pipeline_tests.shared.runs.two_domains import BOTH, LAKES, RIVERS, backfill_run, job_run

OWNERS = owners([("rivers", RIVERS), ("lakes", LAKES)])


def test_a_job_tags_its_runs_with_its_domain_and_its_longest_time() -> None:
    assert BOTH.resolve_job_def("rivers_job").tags == {
        DOMAIN_TAG: "rivers",
        "dagster/max_runtime": "3600",
    }
    result = BOTH.resolve_job_def("lakes_job").execute_in_process(partition_key="2026-03-02")
    assert result.dagster_run.tags[DOMAIN_TAG] == "lakes"


def test_an_asset_that_a_domain_only_depends_on_is_not_its_own() -> None:
    assert OWNERS.of_asset == {dg.AssetKey("rivers_levels"): "rivers", dg.AssetKey("lakes_levels"): "lakes"}
    assert OWNERS.of_job == {"rivers_job": "rivers", "lakes_job": "lakes"}


def test_the_tag_names_the_domain_of_a_run(instance: dg.DagsterInstance) -> None:
    assert OWNERS.domains(job_run(instance, "rivers")) == {"rivers"}
    assert RunOwners({}, {}).domains(job_run(instance, "lakes")) == {"lakes"}


def test_without_the_tag_the_assets_of_a_run_name_its_domain(instance: dg.DagsterInstance) -> None:
    assert OWNERS.domains(backfill_run(instance, "rivers")) == {"rivers"}
    assert OWNERS.domains(backfill_run(instance, "rivers", "lakes")) == {"rivers", "lakes"}


def test_without_both_the_job_of_a_run_names_its_domain(instance: dg.DagsterInstance) -> None:
    older = instance.create_run_for_job(BOTH.resolve_job_def("rivers_job"))
    assert DOMAIN_TAG not in older.tags
    assert OWNERS.domains(older) == {"rivers"}
    assert RunOwners({}, {}).domains(older) == frozenset()
