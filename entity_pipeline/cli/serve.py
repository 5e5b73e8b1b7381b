"""`up`: the Dagster UI, its automation and the administration page, as processes that end with this one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import dagster as dg

import entity_pipeline
from entity_pipeline.cli.interruption import signals_for_children, take_sigterm
from entity_pipeline.core.failures import ConfigurationFailure

HOST = "127.0.0.1"
_STOP_WITHIN_S = 30


def prepare_dagster_home() -> None:
    """Put the project's dagster.yaml into the sandbox's DAGSTER_HOME, and make Dagster's tables.

    The tables are made before any service starts: two services that make them at once get in each other's way.
    """
    home = Path(os.environ["DAGSTER_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_project_file("dagster.yaml"), home / "dagster.yaml")
    with dg.DagsterInstance.get():
        pass


def check_port(port: int, option: str = "--port") -> None:
    """Raises `ConfigurationFailure` if the port is taken: Dagster would leave a second daemon behind."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise ConfigurationFailure(
                f"Port {port} is taken: end what uses it, or choose another with {option}."
            ) from None


def serve(port: int, admin_port: int, directory: Path) -> None:
    """Serve until Ctrl-C or SIGTERM, or until one of the processes ends."""
    workspace = str(_project_file("workspace.yaml"))
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    commands = {
        "webserver": ["dagster_webserver", "-h", HOST, "-p", str(port), "-w", workspace],
        "daemon": ["dagster._daemon", "run", "-w", workspace],
        "admin": ["entity_pipeline.cli.admin", HOST, str(admin_port)],
    }
    os.environ.setdefault("DAGSTER_UI_URL", f"http://{HOST}:{port}")
    take_sigterm()
    with signals_for_children():
        processes = {name: _start(command, logs / f"{name}.log") for name, command in commands.items()}
    click.echo(f"Dagster UI: http://{HOST}:{port}   logs: {logs}   Ctrl-C ends all.")
    click.echo(f"Administration page: {address_of_page(admin_port)}   {_where_the_token_is(directory)}")
    try:
        while all(process.poll() is None for process in processes.values()):
            time.sleep(0.5)
        ended = next(name for name, process in processes.items() if process.poll() is not None)
        raise ConfigurationFailure(f"The {ended} ended by itself: see {logs / f'{ended}.log'}.")
    except KeyboardInterrupt:
        click.echo("Ending. Running steps stop at the next account.")
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def address_of_page(port: int) -> str:
    """Where people find the page."""
    return f"http://{HOST}:{port}/admin/data-pipeline/instagram-accounts"


def _where_the_token_is(directory: Path) -> str:
    # The terminal's output ends up in logs and screenshots, so the token itself is not printed.
    stored = json.loads((directory / "state.json").read_text())
    if stored.get("ADMIN_TOKEN") == os.environ["ADMIN_TOKEN"]:
        return f"sign in with ADMIN_TOKEN of {directory / 'state.json'}"
    return "sign in with your ADMIN_TOKEN"


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


def _project_file(name: str) -> Path:
    path = Path(entity_pipeline.__file__).parents[1] / name
    if not path.exists():
        raise ConfigurationFailure(
            f"{name} is not beside the package in {path.parent}: run this from a checkout."
        )
    return path
