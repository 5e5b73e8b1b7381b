"""`up`: the Dagster UI, its automation and the administration page, as processes that end with this one."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from entity_pipeline.cli.connections import connected
from entity_pipeline.cli.dagster_home import project_file
from entity_pipeline.cli.interruption import signals_for_children, take_sigterm
from entity_pipeline.cli.settings import who
from entity_pipeline.cli.shell import current_shell
from entity_pipeline.core.failures import ConfigurationFailure

HOST = "127.0.0.1"
_STOP_WITHIN_S = 30


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@click.option("--admin-port", default=3080, show_default=True, help="Port of the administration page.")
@click.option("--chaos", type=int, metavar="SEED", help="Switch on the stand-ins' odd behaviours.")
def up(port: int, admin_port: int, chaos: int | None) -> None:
    """Run the demo, then serve the Dagster UI, its automation and the administration page until Ctrl-C."""
    from entity_pipeline.cli.demo import run_demo

    shell = current_shell()
    check_port(port)
    check_port(admin_port, "--admin-port")
    with (
        connected(shell.directory, shell.domains, start_sandbox=True, chaos=chaos),
        alone(shell.directory),
    ):
        run_demo(shell, shell.domains, check=False)
        serve(port, admin_port, shell.directory)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the sandbox for this `up`: a second one would run a second daemon on the same records.

    Raises:
        ConfigurationFailure: another `up` holds it.
    """
    with open(directory / "up", "a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationFailure(
                f"Another `up` already serves the sandbox in {directory}: stop it, or use another folder with --dir."
            ) from None
        yield


def check_port(port: int, option: str = "--port") -> None:
    """Raises `ConfigurationFailure` if the port is taken: Dagster would leave a second daemon behind."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise ConfigurationFailure(
                f"Port {port} is taken: stop the process that uses it, or choose another port with {option}."
            ) from None


def serve(port: int, admin_port: int, directory: Path) -> None:
    """Serve until Ctrl-C or SIGTERM, or until one of the processes ends."""
    workspace = str(project_file("workspace.yaml"))
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    commands = {
        "webserver": ["dagster_webserver", "-h", HOST, "-p", str(port), "-w", workspace],
        "daemon": ["dagster._daemon", "run", "-w", workspace],
        "admin": ["entity_pipeline", "admin", "--host", HOST, "--port", str(admin_port)],
    }
    os.environ.setdefault("DAGSTER_UI_URL", f"http://{HOST}:{port}")
    take_sigterm()
    with signals_for_children():
        processes = {name: _start(command, logs / f"{name}.log") for name, command in commands.items()}
    click.echo(f"Dagster UI: http://{HOST}:{port}   logs: {logs}   Ctrl-C stops all.")
    click.echo(f"Administration page: {address_of_page(admin_port)}")
    click.echo(_how_to_sign_in(admin_port, directory))
    try:
        while all(process.poll() is None for process in processes.values()):
            time.sleep(0.5)
        ended = next(name for name, process in processes.items() if process.poll() is not None)
        raise ConfigurationFailure(f"The {ended} has stopped: see {logs / f'{ended}.log'}.")
    except KeyboardInterrupt:
        click.echo("Stopping. Running steps stop at the next account.")
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def address_of_page(port: int) -> str:
    """The address of the page for people."""
    return f"http://{HOST}:{port}/admin/data-pipeline/instagram-accounts"


def _how_to_sign_in(port: int, directory: Path) -> str:
    # The terminal's output ends up in logs and screenshots, so the token itself is not printed: the link works once.
    from entity_pipeline.admin.access import link_key
    from entity_pipeline.admin.paths import SIGN_IN_LINK_PATH

    stored, token = json.loads((directory / "state.json").read_text()), os.environ["ADMIN_TOKEN"]
    if stored.get("ADMIN_TOKEN") != token:
        return "Sign in with your ADMIN_TOKEN."
    link = f"http://{HOST}:{port}{SIGN_IN_LINK_PATH}?key={link_key(token, who().name or 'sandbox')}"
    return f"Sign in once with this link: {link}\nor with ADMIN_TOKEN of {directory / 'state.json'}."


def _start(module_and_arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    # In a session of its own: Ctrl-C in the terminal reaches us alone, and we end them in order.
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *module_and_arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
