"""The commands and their options. What they do is in the modules beside this one."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click
from dagster_shared.utils.warnings import BetaWarning

from entity_pipeline.cli.connections import DEFAULT_SANDBOX, connected
from entity_pipeline.cli.interruption import take_sigterm
from entity_pipeline.cli.shell import Shell, shell_of
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import InputRejected, PipelineFailure


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_SANDBOX,
    show_default=True,
    help="Folder of the sandbox, used when no database is named in the environment.",
)
@click.pass_context
def cli(context: click.Context, directory: Path) -> None:
    """Turn accounts tagged in Instagram posts into a catalog of artists, brands and groups.

    Works on the databases named by OPERATION_DATABASE_URL and ASSETS_DATABASE_URL, or in a sandbox.
    """
    from dotenv import load_dotenv

    load_dotenv(Path.cwd() / ".env", override=False)
    # Dagster reports usage to its makers unless told otherwise, and this must work without a network.
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    context.obj = replace(context.obj, directory=directory)


def main(domains: Sequence[Domain], definitions: Callable[[], Any]) -> None:
    """Run the command line of this process with these domains and their code location."""
    # Dagster calls long-used parameters beta, at length.
    warnings.filterwarnings("ignore", category=BetaWarning)
    take_sigterm()
    try:
        cli(
            prog_name="entity-pipeline",
            standalone_mode=False,
            obj=Shell(domains, definitions, DEFAULT_SANDBOX),
        )
    except PipelineFailure as failure:
        _end(str(failure))
    except click.exceptions.Abort:
        _end("Interrupted. What was finished is kept; run the same command again to go on.", 130)
    except KeyboardInterrupt:
        _end("Interrupted. What was finished is kept; run the same command again to go on.", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def _end(sentence: str, code: int = 1) -> None:
    click.echo(f"error: {sentence}", err=True)
    sys.exit(code)


@contextmanager
def _connected(context: click.Context) -> Iterator[None]:
    directory = shell_of(context).directory
    with connected(directory) as is_sandbox:
        if is_sandbox:
            click.echo(f"Using the sandbox in {directory}.", err=True)
        yield


def _with_databases(command: Callable[..., Any]) -> Callable[..., Any]:
    """Run the command with the databases of the environment, or those of an existing sandbox."""

    @click.pass_context
    @wraps(command)
    def run(context: click.Context, *args: Any, **kwargs: Any) -> Any:
        with _connected(context):
            return command(*args, **kwargs)

    return run


@cli.command()
@click.option("--chaos", type=int, metavar="SEED", help="Switch on the stand-ins' odd behaviours.")
@click.pass_context
def demo(context: click.Context, chaos: int | None) -> None:
    """Run the whole pipeline once on sample posts, with everything local, and check the result."""
    from entity_pipeline.cli.demo import run_demo

    directory = shell_of(context).directory
    with connected(directory, start_sandbox=True, chaos=chaos):
        run_demo(directory, check=chaos is None)


@cli.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@click.option("--admin-port", default=3080, show_default=True, help="Port of the administration page.")
@click.option("--chaos", type=int, metavar="SEED", help="Switch on the stand-ins' odd behaviours.")
@click.pass_context
def up(context: click.Context, port: int, admin_port: int, chaos: int | None) -> None:
    """Run the demo, then serve the Dagster UI, its automation and the administration page until Ctrl-C."""
    from entity_pipeline.cli.demo import run_demo
    from entity_pipeline.cli.serve import check_port, serve

    check_port(port)
    check_port(admin_port, "--admin-port")
    directory = shell_of(context).directory
    with connected(directory, start_sandbox=True, chaos=chaos):
        run_demo(directory, check=False)
        serve(port, admin_port, directory)


@cli.command()
@click.option("--port", default=3080, show_default=True, help="Port of the page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="A proxy with TLS stands before it: allows other addresses than loopback, and the cookie needs https.",
)
@click.option(
    "--trusted-proxy",
    default="127.0.0.1",
    show_default=True,
    help="Addresses whose X-Forwarded-For is believed, comma-separated; only with --behind-proxy.",
)
@_with_databases
def admin(port: int, host: str, behind_proxy: bool, trusted_proxy: str) -> None:
    """Serve the administration page and its API until Ctrl-C. Needs ADMIN_TOKEN."""
    from entity_pipeline.cli.admin import serve_admin

    serve_admin(host, port, behind_proxy=behind_proxy, trusted_proxies=trusted_proxy)


@cli.command()
@click.option("--plan", "is_plan", is_flag=True, help="Only show the SQL, and what it would lock.")
@click.option(
    "--remove-foreign-history",
    "is_removing",
    is_flag=True,
    help="Afterwards remove what former releases recorded in Supabase's own history, so that `supabase db push` works.",
)
@_with_databases
def migrate(is_plan: bool, is_removing: bool) -> None:
    """Bring the schema of both databases up to date. Safe to run again, and while others write."""
    from entity_pipeline.cli.migrate import apply, show_plan

    if is_plan:
        show_plan(is_removing=is_removing)
    else:
        apply(is_removing=is_removing)


@cli.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check every connection, schema and setting, a line each, with what to do."""
    from entity_pipeline.cli.doctor import examine

    with _connected(context):
        if not examine(shell_of(context).domains):
            sys.exit(1)


@cli.command()
@click.option(
    "--cohort", "cohorts", multiple=True, metavar="YYYY-MM-DD", help="Only these days. May be repeated."
)
@click.option("--limit", type=click.IntRange(min=0), help="Most accounts to review, most-tagged first.")
@click.option("--refresh", type=click.Choice(["none", "stale", "all"]), default="none", show_default=True)
@click.option("--dry-run", is_flag=True, help="Say what would be done and how many paid calls it takes.")
@_with_databases
def enrich(cohorts: tuple[str, ...], limit: int | None, refresh: str, dry_run: bool) -> None:
    """Do all that is pending, from posts to catalog links, within the limits of the settings."""
    from entity_pipeline.domains.entities.commands.enrich import enrich as run
    from entity_pipeline.domains.entities.commands.enrich import parse_cohorts

    run(parse_cohorts(cohorts), limit=limit, refresh=refresh, dry_run=dry_run)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--limit", type=click.IntRange(min=1), help="Most accounts of the file; the same ones each time."
)
@click.option("--replay", is_flag=True, help="Never pay: only accounts with a stored reply.")
@click.option("--dry-run", is_flag=True, help="Only say how many paid calls it would take.")
@click.option(
    "--precision",
    type=click.FloatRange(0.5, 1.0),
    default=0.98,
    show_default=True,
    help="What the proposed thresholds must keep.",
)
@click.option("--save", is_flag=True, help="Put the proposed calibration and thresholds into the settings.")
@click.option("--list", "is_list", is_flag=True, help="Show the evaluations that are kept.")
@click.option("--compare", "compared", nargs=2, metavar="ID ID", help="Show two of them side by side.")
@_with_databases
def evaluate(
    file: Path | None,
    limit: int | None,
    replay: bool,
    dry_run: bool,
    precision: float,
    save: bool,
    is_list: bool,
    compared: tuple[str, str] | None,
) -> None:
    """Measure reviews against labelled accounts; writes no account and no catalog row."""
    from entity_pipeline.domains.entities.commands import evaluate as command

    if sum((file is not None, is_list, compared is not None)) != 1:
        raise InputRejected("Say what to do: FILE.csv with labelled accounts, --list, or --compare ID ID.")
    if is_list:
        command.show_list()
    elif compared is not None:
        command.compare(*compared)
    elif file is not None:
        wish = command.Wish(precision, limit=limit, replay=replay, dry_run=dry_run, save=save)
        command.evaluate(file, wish)


@cli.command()
@_with_databases
def status() -> None:
    """Say what is pending, what was decided, and what the pipeline waits for."""
    from entity_pipeline.domains.entities.commands.status import show_status

    show_status()


@cli.command()
@_with_databases
def quota() -> None:
    """Show today's use of the Gemini grounding quota, and what was spent."""
    from entity_pipeline.domains.entities.commands.status import show_quota

    show_quota()


@cli.group()
def settings() -> None:
    """Show and change the row of pipeline_settings."""


@settings.command("show")
@_with_databases
def settings_show() -> None:
    """Show the switch and every setting."""
    from entity_pipeline.cli.settings import show

    show()


@settings.command("enable")
@_with_databases
def settings_enable() -> None:
    """Switch the pipeline on."""
    from entity_pipeline.cli.settings import switch

    switch(True)


@settings.command("disable")
@_with_databases
def settings_disable() -> None:
    """Switch the pipeline off: nothing new starts, what runs stops at the next account."""
    from entity_pipeline.cli.settings import switch

    switch(False)


@settings.command("set")
@click.argument("assignments", nargs=-1, required=True, metavar="KEY=VALUE...")
@_with_databases
def settings_set(assignments: tuple[str, ...]) -> None:
    """Change settings, all or none of them: daily_grounding_cap=1200 thresholds.brand=0.9."""
    from entity_pipeline.cli.settings import change

    change(assignments)


@cli.command("import-posts")
@click.argument("path", type=click.Path(path_type=Path))
@_with_databases
def import_posts(path: Path) -> None:
    """Import posts from an Instaloader download folder (JSON) or a CSV file."""
    from entity_pipeline.domains.entities.commands.import_posts import import_from

    import_from(path)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    help="What FILE's ending says when left out, or csv.",
)
@click.option("--state", metavar="NAME", help="pending, held, created ...")
@click.option("--type", "kind", metavar="NAME", help="artist, brand, group, other, unknown or none.")
@click.option("--role", metavar="NAME", help="primary, secondary, regional, unknown or none.")
@click.option("--region", metavar="XX", help="ISO 3166-1 alpha-2, or none.")
@click.option("--reason", metavar="NAME", help="Held or failed for this reason, maybe among others.")
@click.option("--cohort", metavar="YYYY-MM-DD", help="Only this day.")
@click.option("--search", metavar="TEXT", help="What the username or a name begins with.")
@click.option(
    "--sort",
    default="most_tagged",
    show_default=True,
    metavar="NAME",
    help="oldest, newest_change, username.",
)
@_with_databases
def export(file: Path | None, form: Any, kind: str | None, **filters: str | None) -> None:
    """Write the list of accounts to FILE or standard output, with the filters of the administration page."""
    from entity_pipeline.domains.entities.commands.export import export as write

    write(file, form, {**filters, "type": kind})


@cli.command()
@click.option("--run", "run_id", metavar="ID", help="Take back everything that a run wrote.")
@click.option("--account", metavar="NAME", help="Take back everything written for one account.")
@_with_databases
def undo(run_id: str | None, account: str | None) -> None:
    """Put the catalog back as it was before automatic writes, except what people changed since."""
    from entity_pipeline.domains.entities.commands.undo import undo_writes

    if (run_id is None) == (account is None):
        raise InputRejected("Say what to undo: either --run ID or --account NAME.")
    undo_writes(run_id, account)


@cli.group()
def pool() -> None:
    """The Instagram accounts of the operator, and their routes."""


@pool.command("add")
@click.argument("name")
@click.option(
    "--cookies",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A browser's cookie export: JSON of a cookie extension, or cookies.txt.",
)
@click.option(
    "--instaloader-session",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A session file of Instaloader.",
)
@click.option("--route", metavar="NAME", help="Its way out; 'direct' for a new account when left out.")
@click.option("--proxy", metavar="URL", help="The route's proxy; makes the route or changes its proxy.")
@_with_databases
def pool_add(
    name: str, cookies: Path | None, instaloader_session: Path | None, route: str | None, proxy: str | None
) -> None:
    """Add an account with its session, or give one that is there a new session."""
    from entity_pipeline.cli.pool import add

    add(name, cookies, instaloader_session, route=route, proxy=proxy)


@pool.command("list")
@_with_databases
def pool_list() -> None:
    """Show every account: state, route, cooling, last outcome, lease. No secret is shown."""
    from entity_pipeline.cli.pool import show

    show()


@pool.command("test")
@click.argument("name")
@_with_databases
def pool_test(name: str) -> None:
    """Look once at a profile that is always there, as this account by its route, within the limits."""
    from entity_pipeline.cli.pool import try_out

    try_out(name)


@pool.command("disable")
@click.argument("name")
@_with_databases
def pool_disable(name: str) -> None:
    """Take an account out of use at once."""
    from entity_pipeline.cli.pool import disable

    disable(name)


@pool.command("enable")
@click.argument("name")
@_with_databases
def pool_enable(name: str) -> None:
    """Take a disabled account back into use; a cooling that is not over goes on."""
    from entity_pipeline.cli.pool import enable

    enable(name)


@cli.group()
def sandbox() -> None:
    """The local servers and their data."""


@sandbox.command("reset")
@click.pass_context
def sandbox_reset(context: click.Context) -> None:
    """End the sandbox's servers and delete its folder."""
    from entity_pipeline.sandbox.environment import Sandbox

    directory = shell_of(context).directory
    if not directory.exists():
        click.echo(f"There is no sandbox in {directory}.")
        return
    Sandbox(directory).reset()
    click.echo(f"The sandbox in {directory} is gone.")
