"""The verbs of `entity-pipeline entities` and their options. What they do is in the modules beside this one."""

from pathlib import Path
from typing import Any

import click

from entity_pipeline.cli.groups import Cost, DomainCommands, Verb
from entity_pipeline.cli.options import export_target
from entity_pipeline.cli.shell import databases, with_databases
from entity_pipeline.core.failures import InputRejected


@click.command()
@click.option(
    "--cohort", "cohorts", multiple=True, metavar="YYYY-MM-DD", help="Only these days. May be repeated."
)
@click.option("--limit", type=click.IntRange(min=0), help="The most accounts to review, most-tagged first.")
@click.option(
    "--refresh",
    type=click.Choice(["none", "failed", "stale", "all"]),
    default="none",
    show_default=True,
    help="Pay again for reviews that failed, that are out of date, or for all of them.",
)
@click.option("--anew", is_flag=True, help="Begin the refresh anew, even if an earlier one is not finished.")
@click.option(
    "--dry-run", is_flag=True, help="Only print what would be done, and how many paid calls it would take."
)
@click.option("--yes", is_flag=True, help="Pay for a refresh without being asked.")
@with_databases
def enrich(cohorts: tuple[str, ...], **options: Any) -> None:
    """Do all pending work, from posts to catalog links, within the limits of the settings."""
    from entity_pipeline.domains.entities.commands import enrich as command

    command.enrich(command.parse_cohorts(cohorts), command.Wish(**options))


@click.command()
@with_databases
def status() -> None:
    """Show pending work, decisions, and what the pipeline waits for."""
    from entity_pipeline.domains.entities.commands.status import show_status

    show_status()


@click.command()
@export_target
@click.option("--state", multiple=True, metavar="NAME", help="pending, held, created ... May be repeated.")
@click.option("--type", "kind", metavar="NAME", help="artist, brand, group, other, unknown or none.")
@click.option("--role", metavar="NAME", help="primary, secondary, regional, unknown or none.")
@click.option("--region", metavar="XX", help="ISO 3166-1 alpha-2, or none.")
@click.option("--reason", metavar="NAME", help="Only accounts held or failed for this reason, among others.")
@click.option("--cohort", metavar="YYYY-MM-DD", help="Only this day.")
@click.option("--search", metavar="TEXT", help="A part of the username or of a name.")
@click.option(
    "--sort",
    default="most_tagged",
    show_default=True,
    metavar="NAME",
    help="oldest, newest_change, username.",
)
@with_databases
def export(file: Path | None, form: Any, kind: str | None, **filters: Any) -> None:
    """Write the list of accounts to FILE or standard output, with the filters of the administration page."""
    from entity_pipeline.domains.entities.commands.export import export as write

    write(file, form, {**filters, "type": kind})


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="The most accounts to take from the file; always the same ones.",
)
@click.option(
    "--replay", is_flag=True, help="Only accounts with a stored reply, so that nothing is paid for."
)
@click.option("--dry-run", is_flag=True, help="Only print how many paid calls it would take.")
@click.option(
    "--precision",
    type=click.FloatRange(0.5, 1.0),
    default=0.98,
    show_default=True,
    help="The precision that the proposed thresholds must reach.",
)
@click.option("--save", is_flag=True, help="Put the proposed calibration and thresholds into the settings.")
@click.option("--list", "is_list", is_flag=True, help="Show the stored evaluations.")
@click.option("--compare", "compared", nargs=2, metavar="ID ID", help="Show two of them side by side.")
@click.option(
    "--replies",
    type=click.Path(path_type=Path),
    help="Recorded replies (JSON lines) through parser, gate and decision; needs no key and no database.",
)
@click.option("--json", "as_json", is_flag=True, help="With --replies: one JSON object per line.")
def evaluate(
    file: Path | None,
    limit: int | None,
    replay: bool,
    dry_run: bool,
    precision: float,
    save: bool,
    is_list: bool,
    compared: tuple[str, str] | None,
    replies: Path | None,
    as_json: bool,
) -> None:
    """Measure reviews against labelled accounts; writes no account and no catalog row."""
    if sum((file is not None, is_list, compared is not None, replies is not None)) != 1:
        raise InputRejected(
            "Give FILE.csv with labelled accounts, --replies FILE.jsonl, --list, or --compare ID ID."
        )
    if replies is not None:
        from entity_pipeline.domains.entities.commands.recorded_replies import judge_replies

        judge_replies(replies, as_json=as_json)
        return
    from entity_pipeline.domains.entities.commands import evaluate as command

    with databases():
        if is_list:
            command.show_list()
        elif compared is not None:
            command.compare(*compared)
        elif file is not None:
            wish = command.Wish(precision, limit=limit, replay=replay, dry_run=dry_run, save=save)
            command.evaluate(file, wish)


@click.command("import-posts")
@click.argument("path", type=click.Path(path_type=Path))
@with_databases
def import_posts(path: Path) -> None:
    """Import posts from an Instaloader download folder (JSON) or a CSV file."""
    from entity_pipeline.domains.entities.commands.import_posts import import_from

    import_from(path)


@click.command()
@click.option(
    "--run",
    "run_id",
    metavar="ID",
    help="Undo everything that a run wrote; the beginning of its id is enough.",
)
@click.option("--account", metavar="NAME", help="Undo everything written for one account.")
@click.option("--yes", is_flag=True, help="Do it without showing it first and asking.")
@with_databases
def undo(run_id: str | None, account: str | None, yes: bool) -> None:
    """Restore the catalog to its state before automatic writes, except for values that people changed since."""
    from entity_pipeline.domains.entities.commands.undo import undo_writes

    _check_target(run_id, account)
    undo_writes(run_id, account, yes=yes)


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Take back the undo of a run.")
@click.option("--account", metavar="NAME", help="Take back every undo of one account.")
@click.option("--yes", is_flag=True, help="Do it without showing it first and asking.")
@with_databases
def redo(run_id: str | None, account: str | None, yes: bool) -> None:
    """Take an undo back: write again what it restored or removed, except for values that changed since."""
    from entity_pipeline.domains.entities.commands.undo import redo_writes

    _check_target(run_id, account)
    redo_writes(run_id, account, yes=yes)


@click.command("ask-again")
@click.argument("names", nargs=-1, required=True)
@with_databases
def ask_again(names: tuple[str, ...]) -> None:
    """Let the next run ask Gemini again about accounts whose review failed. All of them: `enrich --refresh failed`."""
    from entity_pipeline.domains.entities.commands.again import ask_again as ask

    ask(names)


@click.command("decide-again")
@click.option(
    "--cohort", "cohorts", multiple=True, metavar="YYYY-MM-DD", help="Only these days. May be repeated."
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="NAME",
    help="Only this account, also if its link was undone. May be repeated.",
)
@click.option(
    "--replace-type",
    is_flag=True,
    help="The type that someone else wrote to the account gives way to the review's. Needs --account.",
)
@with_databases
def decide_again(cohorts: tuple[str, ...], accounts: tuple[str, ...], replace_type: bool) -> None:
    """Decide held accounts again, for example after thresholds changed. Pays nothing."""
    from entity_pipeline.domains.entities.commands import again
    from entity_pipeline.domains.entities.commands.enrich import parse_cohorts

    if replace_type and not accounts:
        raise InputRejected("Name the accounts whose type gives way: add --account NAME.")
    again.decide_again(parse_cohorts(cohorts), accounts, replace_type=replace_type)


def _check_target(run_id: str | None, account: str | None) -> None:
    if (run_id is None) == (account is None):
        raise InputRejected("Give either --run ID or --account NAME.")


_HERE = "entity_pipeline.domains.entities.commands"
COMMANDS = DomainCommands(
    verbs=(
        Verb(
            "enrich",
            f"{_HERE}.verbs:enrich",
            "Do all pending work, from posts to catalog links, within the limits of the settings.",
            Cost.GEMINI | Cost.INSTAGRAM,
        ),
        Verb(
            "status",
            f"{_HERE}.verbs:status",
            "Show pending work, decisions, and what the pipeline waits for.",
        ),
        Verb(
            "export",
            f"{_HERE}.verbs:export",
            "Write the list of accounts, with the filters of the administration page.",
        ),
        Verb(
            "evaluate",
            f"{_HERE}.verbs:evaluate",
            "Measure reviews against labelled accounts; writes no account and no catalog row.",
            Cost.GEMINI,
        ),
        Verb(
            "import-posts",
            f"{_HERE}.verbs:import_posts",
            "Import posts from an Instaloader folder or a CSV file.",
        ),
        Verb(
            "undo",
            f"{_HERE}.verbs:undo",
            "Restore the catalog to its state before automatic writes, except for values that people changed since.",
        ),
        Verb(
            "ask-again",
            f"{_HERE}.verbs:ask_again",
            "Let the next run ask Gemini again about accounts whose review failed.",
        ),
        Verb(
            "decide-again",
            f"{_HERE}.verbs:decide_again",
            "Decide held accounts again, for example after thresholds changed.",
        ),
        Verb("redo", f"{_HERE}.verbs:redo", "Take an undo back, except for values that changed since."),
    ),
    at_the_top=frozenset(
        {"enrich", "evaluate", "export", "undo", "redo", "ask-again", "decide-again", "import-posts"}
    ),
    status=f"{_HERE}.status:show_status",
)
