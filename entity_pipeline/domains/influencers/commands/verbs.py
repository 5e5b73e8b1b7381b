"""The verbs of `entity-pipeline influencers` and their options. What they do is in the modules beside this one."""

from pathlib import Path
from typing import Any

import click

from entity_pipeline.cli.groups import Cost, DomainCommands, Verb
from entity_pipeline.cli.options import export_target, serving_address
from entity_pipeline.cli.shell import with_databases
from entity_pipeline.domains.influencers.models import Priority, ScrapeStatus, TaskType
from entity_pipeline.shared.tasks.rules import TaskStatus

_priority = click.option(
    "--priority",
    type=click.IntRange(Priority.MANUAL_FIRST, Priority.MANUAL_LAST),
    default=int(Priority.MANUAL_FIRST),
    show_default=True,
    help="1 is the most urgent.",
)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--file", type=click.Path(path_type=Path, dir_okay=False), help="A file with one name per line."
)
@_priority
@click.option("--again", is_flag=True, help="Take in people who were erased and now ask for it themselves.")
@with_databases
def scrape(names: tuple[str, ...], file: Path | None, priority: int, again: bool) -> None:
    """Put people into the queue, by username in any spelling."""
    from entity_pipeline.domains.influencers.commands.scrape import scrape as ask

    ask(names, file, priority=priority, again=again)


@click.command()
@click.argument("hashtags", nargs=-1, required=True, metavar="TAG...")
@_priority
@with_databases
def discover(hashtags: tuple[str, ...], priority: int) -> None:
    """Put hashtags into the queue, with or without #; their people become blogs."""
    from entity_pipeline.domains.influencers.commands.scrape import discover as ask

    ask(hashtags, priority=priority)


@click.command()
@click.option(
    "--status", type=click.Choice([one.value for one in TaskStatus]), help="Only tasks in this state."
)
@click.option(
    "--type", "kind", type=click.Choice([one.value for one in TaskType]), help="Only tasks of this type."
)
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="The most tasks.")
@with_databases
def tasks(status: str | None, kind: str | None, limit: int) -> None:
    """Show the newest tasks."""
    from entity_pipeline.domains.influencers.commands.tasks import show_tasks

    show_tasks(status, kind, limit)


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="All rows about the person, as JSON.")
@with_databases
def show(name: str, as_json: bool) -> None:
    """Show what is stored about a person."""
    from entity_pipeline.domains.influencers.commands.show import show as print_person

    print_person(name, as_json=as_json)


@click.command()
@export_target
@click.option(
    "--status", type=click.Choice([one.value for one in ScrapeStatus]), help="Only blogs in this state."
)
@click.option("--min-followers", type=click.IntRange(0, 2**62), help="Only blogs with as many followers.")
@click.option("--category", metavar="NAME", help="Only blogs of this category: beauty, food ...")
@with_databases
def export(file: Path | None, form: Any, **filters: Any) -> None:
    """Write the blogs with their measures and insights to FILE or standard output."""
    from entity_pipeline.domains.influencers.commands.export import export as write

    write(file, form, filters)


@click.command()
@click.argument("name", required=False, metavar="[USERNAME]")
@click.option("--id", "pk", type=click.IntRange(1, 2**63 - 1), metavar="NUMBER", help="The numeric id.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@with_databases
def erase(name: str | None, pk: int | None, yes: bool) -> None:
    """Remove a person everywhere, and keep the person out. Running it again does what is left."""
    from entity_pipeline.domains.influencers.commands.erase import erase as remove

    remove(name, pk, yes=yes)


@click.command()
@serving_address(
    8001,
    "API",
    "For use behind a proxy with TLS: allows addresses other than loopback; names are those of ADMIN_HOSTS.",
)
@with_databases
def api(port: int, host: str, behind_proxy: bool, trusted_proxy: str) -> None:
    """Serve the HTTP API that feeds the queue until Ctrl-C. Needs SCRAPER_API_KEY."""
    from entity_pipeline.domains.influencers.commands.api import serve

    serve(host, port, behind_proxy=behind_proxy, trusted_proxies=trusted_proxy)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say how many blogs would be asked about, and the cost.")
@with_databases
def insights(dry_run: bool) -> None:
    """Store what was answered about blogs, and ask about those that wait."""
    from entity_pipeline.domains.influencers.commands.insights import insights as run

    run(dry_run=dry_run)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_databases
def evaluate(file: Path) -> None:
    """Measure the stored insights against labelled blogs, a JSON object per line. Costs nothing."""
    from entity_pipeline.domains.influencers.commands.evaluate import evaluate as measure

    measure(file)


_HERE = "entity_pipeline.domains.influencers.commands"
COMMANDS = DomainCommands(
    verbs=(
        Verb("scrape", f"{_HERE}.verbs:scrape", "Put people into the queue, by username in any spelling."),
        Verb(
            "discover", f"{_HERE}.verbs:discover", "Put hashtags into the queue; their people become blogs."
        ),
        Verb("tasks", f"{_HERE}.verbs:tasks", "Show the newest tasks."),
        Verb("show", f"{_HERE}.verbs:show", "Show what is stored about a person."),
        Verb("export", f"{_HERE}.verbs:export", "Write the blogs with their measures and insights."),
        Verb(
            "insights",
            f"{_HERE}.verbs:insights",
            "Ask about blogs that wait, and store what was answered.",
            Cost.GEMINI | Cost.INSTAGRAM,
        ),
        Verb("evaluate", f"{_HERE}.verbs:evaluate", "Measure stored insights against labelled blogs."),
        Verb("erase", f"{_HERE}.verbs:erase", "Remove a person everywhere, and keep the person out."),
        Verb("api", f"{_HERE}.verbs:api", "Serve the HTTP API that feeds the queue until Ctrl-C."),
    ),
    status=f"{_HERE}.tasks:show_status",
)
