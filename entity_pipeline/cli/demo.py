"""`demo`: the whole pipeline once on sample posts, and whether every account ended where it should.

The first run works under a cap that is too small, so that the state "cap reached" is seen once; then it raises
the cap as a person would. A further run on the same state finds nothing to do.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx2
from rich.console import Console

from entity_pipeline.cli.connections import connected
from entity_pipeline.cli.dagster_home import prepare_dagster_home
from entity_pipeline.cli.shell import current_shell
from entity_pipeline.core.audit import COMMAND_ACTOR, Actor
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.gemini.settings import GeminiSettings, limits_of
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.settings import SettingsModel
from entity_pipeline.core.settings_change import Assignment, assignments_of, edit_of
from entity_pipeline.domains.entities.commands.pipeline import Pipeline, pipeline
from entity_pipeline.domains.entities.commands.summary import Summary, print_summary
from entity_pipeline.domains.entities.sample.expected import expected_accounts
from entity_pipeline.domains.entities.sample.posts import SampleCounts, load_sample
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.migrations import migrate

FIRST_CAP = 300
_DEMO = Actor(COMMAND_ACTOR, "demo")
# Instagram is a process on this machine here, so its windows may be wide.
_SETTINGS: Mapping[type[SettingsModel], Mapping[str, Any]] = {
    GeminiSettings: {"daily_grounding_cap": FIRST_CAP, "requests_per_minute": 100_000},
    InstagramSettings: {
        "terms_acknowledged": True,
        "windows": {
            "gap_s": 0,
            "jitter_s": [0, 0],
            "per_minute": 100_000,
            "per_hour": 100_000,
            "per_day": 100_000,
        },
    },
    EntitySettings: {"instagram_backfill_enabled": True},
}


@click.command()
@click.option("--chaos", type=int, metavar="SEED", help="Switch on the stand-ins' odd behaviours.")
def demo(chaos: int | None) -> None:
    """Run every domain once on sample data, with everything local, and check the result."""
    directory = current_shell().directory
    with connected(directory, start_sandbox=True, chaos=chaos):
        run_demo(directory, check=chaos is None)


class DemoFailed(PipelineFailure):
    """A number is not what it should be."""


def run_demo(directory: Path, *, check: bool) -> None:
    """Prepare the sandbox, run every stage, print the table.

    Raises:
        DemoFailed: an account did not end where the sample says it should, or a call was not counted.
    """
    console = Console(soft_wrap=True)
    prepare_dagster_home()
    migrate(os.environ["ASSETS_DATABASE_URL"], os.environ["OPERATION_DATABASE_URL"])
    today = datetime.now(UTC).date()
    sample = load_sample(os.environ["ASSETS_DATABASE_URL"], os.environ["OPERATION_DATABASE_URL"], today)
    grounded_before = _grounded_requests_seen()
    with pipeline() as stages:
        _switch_on_once(stages)
        console.print(
            f"Posts of {sample.first_day} to {sample.last_day}: tags, accounts, profiles, reviews, links."
        )
        stages.intake()
        stages.review()
        _raise_cap_once(stages, console)
        stages.link()
        stages.roll_up()
        summary = print_summary(console, stages)
        seen = _grounded_requests_seen() - grounded_before
        problems = [*_miscounts(summary, sample, seen), *_mismatches(stages)] if check else []
    for problem in problems:
        click.echo(f"not as it should be: {problem}", err=True)
    if problems:
        raise DemoFailed(f"{len(problems)} results are not as they should be; they are listed above.")
    _say_where_to_look(console, directory)


def _switch_on_once(stages: Pipeline) -> None:
    """The sandbox's own settings, unless a person has changed them since."""
    store = stages.services.settings
    for model, settings in _SETTINGS.items():
        row = store.row(model)
        if row is None or row.updated_by == "migration":
            edit = edit_of(model, list(assignments_of(settings)), is_enabled=True)
            store.change(model, edit, _DEMO, row.updated_at if row is not None else None)


def _raise_cap_once(stages: Pipeline, console: Console) -> None:
    store = stages.services.settings
    quota = stages.services.gemini.quota(limits_of(store.readable(GeminiSettings)))
    row = store.row(GeminiSettings)
    if not (quota.cap_reached and row.updated_by == _DEMO.label and quota.cap == FIRST_CAP):
        return
    cap = GeminiSettings().daily_grounding_cap
    console.print(
        f"[bold]Cap reached[/bold]: {quota.used} of {quota.cap} grounded requests of the Pacific day "
        f"{quota.quota_day} are used. The pipeline would go on at {quota.resets_at:%Y-%m-%d %H:%M} UTC; "
        f"here the cap is raised to {cap}, as a person would with `entity-pipeline settings set`."
    )
    raised = edit_of(GeminiSettings, [Assignment(("daily_grounding_cap",), cap)])
    store.change(GeminiSettings, raised, _DEMO, row.updated_at)
    stages.review()


def _grounded_requests_seen() -> int:
    """What the other side of the wire has counted."""
    answer = httpx2.get(f"{os.environ['GEMINI_BASE_URL']}/_standin/requests", trust_env=False)
    return int(answer.json()["grounded"])


def _miscounts(summary: Summary, sample: SampleCounts, seen: int) -> list[str]:
    figures = {
        "posts": (summary.posts, sample.posts),
        "tags": (summary.tags, sample.tags),
        "tagged accounts": (summary.tagged_accounts, sample.accounts),
    }
    # More than the sample is somebody's own posts.
    problems = [
        f"{what}: {found}, and should be at least {right}"
        for what, (found, right) in figures.items()
        if found < right
    ]
    if summary.grounded_calls != seen:
        problems.append(
            f"the ledger counted {summary.grounded_calls} grounded requests, and {seen} were received"
        )
    return problems


def _mismatches(stages: Pipeline) -> list[str]:
    """Accounts of the sample that did not end where the sample says."""
    query = """
        select lower(ltrim(btrim(username), '@')), metadata #>> '{entity_enrichment,gemini_review,status}',
          coalesce(metadata #>> '{entity_enrichment,catalog_link,status}', 'none'),
          coalesce(metadata #> '{entity_enrichment,catalog_link,reasons}', '[]')
        from instagram_accounts
    """
    with stages.services.operation_db.connection() as connection:
        found = {
            name: (review, decision, set(reasons))
            for name, review, decision, reasons in connection.execute(query)
        }
    problems = []
    for name, expected in expected_accounts().items():
        if not expected.certain:
            continue
        review, decision, reasons = found.get(name, ("missing", "missing", set()))
        if decision == "undone":  # somebody tried `undo`
            continue
        right_reason = not expected.reasons or reasons & expected.reasons
        if (review, decision) != (expected.review, str(expected.decision)) or not right_reason:
            problems.append(
                f"{name}: {review}, {decision} {sorted(reasons)}, and should be {expected.review}, "
                f"{expected.decision} {sorted(expected.reasons)}"
            )
    return problems


def _say_where_to_look(console: Console, directory: Path) -> None:
    console.print(
        "Where to look next:\n"
        "  make up                                          the Dagster UI, with automation running\n"
        "  .venv/bin/entity-pipeline status                 cohorts, decisions and held reasons\n"
        "  .venv/bin/entity-pipeline quota                  the ledger's day\n"
        "  .venv/bin/entity-pipeline undo --account prada   take automatic writes back\n"
        f"  {directory}/state.json                             ports and passwords of the local servers"
    )
