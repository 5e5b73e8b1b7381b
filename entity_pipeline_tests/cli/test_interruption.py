"""The command as a non-interactive shell starts `command &`: with Ctrl-C ignored."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from dagster._utils.interrupts import setup_interrupt_handlers

from entity_pipeline.cli.interruption import signals_for_children, take_sigterm

ASKS = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"


@pytest.fixture(autouse=True)
def in_the_background() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_ends_the_command_even_after_dagster_has_run_in_it() -> None:
    setup_interrupt_handlers()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    take_sigterm()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_child_processes_ignore_no_signal_and_the_command_goes_on_as_before() -> None:
    with signals_for_children():
        started = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True, check=True)
    assert started.stdout == "False\n"
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
