"""`demo`: run every domain once over its sample in the sandbox, and check the results.

What a domain loads, runs and checks does not belong here but in its sample. A failure of one domain does not stop the
others.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from entity_pipeline.cli.connections import connected
from entity_pipeline.cli.dagster_home import prepare_dagster_home
from entity_pipeline.cli.runs import Runner, dagster_instance
from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import Shell, current_shell
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import InputRejected, PipelineFailure
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.settings import SettingsModel
from entity_pipeline.core.settings_change import assignments_of, edit_of
from entity_pipeline.migrations import migrate
from entity_pipeline.sandbox.sample import DEMO, SMALL_CAP, Demo, Sample

# Instagram is a local process here, so its windows may be wide.
_SHARED: Mapping[type[SettingsModel], Mapping[str, Any]] = {
    GeminiSettings: {"daily_grounding_cap": SMALL_CAP, "requests_per_minute": 100_000},
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
}


class DemoFailed(PipelineFailure):
    """A result differs from the expected one."""


@click.command()
@click.option("--only", multiple=True, metavar="DOMAIN", help="Run only this domain. May be repeated.")
@click.option("--chaos", type=int, metavar="SEED", help="Switch on the stand-ins' odd behaviours.")
def demo(only: tuple[str, ...], chaos: int | None) -> None:
    """Run every domain once on sample data, with everything local, and check the result."""
    shell = current_shell()
    domains = _chosen(shell, only)
    with connected(shell.directory, shell.domains, start_sandbox=True, chaos=chaos):
        run_demo(shell, domains, check=chaos is None)


def run_demo(shell: Shell, domains: Sequence[Domain], *, check: bool) -> None:
    """Prepare the sandbox, load every sample, then run and check each domain.

    Raises:
        DemoFailed: a domain stopped, or a result differs from its sample; stderr says which.
    """
    prepare_dagster_home()
    migrate(os.environ["ASSETS_DATABASE_URL"], os.environ["OPERATION_DATABASE_URL"])
    console = Console(soft_wrap=True)
    samples: dict[str, Sample] = {
        domain.key: domain.sample() for domain in domains if domain.sample is not None
    }
    with services() as built, dagster_instance() as instance:
        demo = Demo(built, Runner(instance, shell.definitions()), console, datetime.now(UTC).date())
        _switch_on_once(built.settings, _SHARED)
        for domain in domains:
            if domain.key in samples:
                _switch_on_once(built.settings, {domain.settings: samples[domain.key].settings})
        # Before any stage runs, because a domain may read what another one loads.
        for sample in samples.values():
            sample.load(demo)
        problems = [
            problem for key, sample in samples.items() for problem in _run(key, sample, demo, check=check)
        ]
    for problem in problems:
        click.echo(f"not as expected: {problem}", err=True)
    if problems:
        raise DemoFailed(f"{len(problems)} results are not as expected; they are listed above.")
    _say_where_to_look(console, shell.directory)


def _run(key: str, sample: Sample, demo: Demo, *, check: bool) -> list[str]:
    """Run one domain; returns the unexpected results, or the sentence of the failure that stopped it."""
    demo.console.rule(key, align="left")
    try:
        sample.run(demo)
        return [f"{key}: {problem}" for problem in sample.problems(demo)] if check else []
    except PipelineFailure as failure:
        return [f"{key} stopped: {failure}"]


def _chosen(shell: Shell, only: Sequence[str]) -> Sequence[Domain]:
    unknown = [key for key in only if key not in shell.by_key]
    if unknown:
        raise InputRejected(f"There is no domain '{unknown[0]}'; the domains are {', '.join(shell.by_key)}.")
    return [domain for domain in shell.domains if not only or domain.key in only]


def _switch_on_once(store: Any, rows: Mapping[type[SettingsModel], Mapping[str, Any]]) -> None:
    """Store the sandbox's own settings, unless a person has changed them since."""
    for model, settings in rows.items():
        row = store.row(model)
        if row is None or row.updated_by in (None, "migration"):
            edit = edit_of(model, list(assignments_of(settings)), is_enabled=True)
            store.change(model, edit, DEMO, row.updated_at if row is not None else None)


def _say_where_to_look(console: Console, directory: Path) -> None:
    console.print(
        "Where to look next:\n"
        "  make up                                          the Dagster UI, with automation running\n"
        "  .venv/bin/entity-pipeline status                 pending work and decisions of each domain\n"
        "  .venv/bin/entity-pipeline quota                  today's use of the Gemini quota\n"
        "  .venv/bin/entity-pipeline undo --account prada   undo automatic writes\n"
        f"  {directory}/state.json                             ports and passwords of the local servers"
    )
