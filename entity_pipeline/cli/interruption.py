"""The signals that end a command: Ctrl-C, and SIGTERM, which does the same.

A non-interactive shell ignores Ctrl-C in background commands (`command &`), and their children would inherit that.
Dagster gives SIGTERM the handler of Ctrl-C, so where one is ignored, both would be.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


def take_sigterm() -> None:
    """Make SIGTERM do what Ctrl-C does; call it again once Dagster has run in this process."""
    signal.signal(signal.SIGTERM, end_like_ctrl_c)


def end_like_ctrl_c(*_: object) -> None:
    """A signal handler that lets the sandbox's servers be released and requests in progress finish."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


@contextmanager
def signals_for_children() -> Iterator[None]:
    """Within the block, started processes can be ended by both signals, even if they are ignored here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
