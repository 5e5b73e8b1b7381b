"""What ends a command: Ctrl-C, and SIGTERM, which does the same.

A shell that is no person's ignores Ctrl-C for what it starts in the background (`command &`), and what that starts
would inherit it. Dagster gives SIGTERM the handler of Ctrl-C: where that is ignored, both would be.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


def take_sigterm() -> None:
    """From here on SIGTERM does what Ctrl-C does; to be called again once Dagster has run in this process."""
    signal.signal(signal.SIGTERM, end_like_ctrl_c)


def end_like_ctrl_c(*_: object) -> None:
    """The sandbox's servers are given back, and requests on the wire come home."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


@contextmanager
def signals_for_children() -> Iterator[None]:
    """What is started within can be ended by both signals, whatever is ignored here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
