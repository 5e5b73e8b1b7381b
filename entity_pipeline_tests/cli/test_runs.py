import dagster as dg
import pytest

from entity_pipeline.cli.runs import RunFailed, Runner, _as_failure
from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, PipelineFailure

CLOSED = ConfigurationFailure("The pipeline is switched off.")


def raised_by_dagster(error: Exception) -> Exception:
    """What Dagster raises when an asset raises `error`."""

    @dg.asset
    def failing() -> None:
        raise error

    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(Exception) as caught:  # noqa: PT011 - any
        dg.materialize(
            [failing],
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return caught.value


@pytest.mark.parametrize("failure", [CLOSED, DatabaseUnavailable("PostgreSQL is away.")])
def test_a_named_failure_is_passed_on_unchanged(failure: PipelineFailure) -> None:
    assert _as_failure(raised_by_dagster(failure), "intake_job") is failure


def test_a_failure_made_for_the_ui_gives_its_sentence() -> None:
    failed = _as_failure(raised_by_dagster(dg.Failure("Switched off.", allow_retries=False)), "intake_job")
    assert isinstance(failed, RunFailed)
    assert str(failed) == "Switched off."


def test_anything_else_is_named_in_one_line_with_its_kind() -> None:
    failed = _as_failure(raised_by_dagster(KeyError("a\n b" + "x" * 900)), "linking_job")
    assert isinstance(failed, RunFailed)
    assert str(failed).startswith("linking_job stopped on an unexpected KeyError: 'a")
    assert "\n" not in str(failed)
    assert len(str(failed)) < 600


def test_a_blocking_check_is_named() -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("model_is_right", asset="reviews", blocking=True)])
    def reviews() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False)])

    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(dg.DagsterError) as caught:
        dg.materialize(
            [reviews],
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    assert str(_as_failure(caught.value, "enrichment_job")) == (
        "enrichment_job stopped: 1 blocking asset check failed with ERROR severity: reviews: model_is_right. "
        "Run `entity-pipeline doctor` to see why, and see docs/runbook.md."
    )


def test_a_run_says_that_the_command_launched_it() -> None:
    @dg.asset
    def accounts() -> None: ...

    job = dg.define_asset_job("intake_job", selection=[accounts])
    with dg.DagsterInstance.ephemeral() as instance:
        Runner(instance, dg.Definitions([accounts], jobs=[job])).run("intake_job")
        (run,) = instance.get_runs()
    assert run.tags["entity_pipeline/launched_by"] == "command"
