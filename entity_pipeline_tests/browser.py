"""A headless Chromium, as Debian packages it, for the tests of the pages; nothing is downloaded.

Like pgbouncer, it is in none of our Python wheels. In CI it must be installed; on a
newcomer's machine the tests marked `needs_browser` are left out, and the run says how many and why.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MARKER = "needs_browser"
WHY = "Chromium is not installed (Debian, Ubuntu: apt-get install chromium)"
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# It makes no request of its own: no updates, no telemetry, no name look-ups for its own sake.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def program() -> str | None:
    """Where the browser is, or None."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def is_left_out() -> bool:
    """Whether the tests that need it are not run: it is missing, and this is not CI."""
    return program() is None and os.environ.get("CI", "").lower() not in ("1", "true")


@contextmanager
def browser() -> "Iterator[Browser]":
    """A browser that ends with the block."""
    from playwright.sync_api import sync_playwright

    found = program()
    if found is None:
        raise FileNotFoundError(WHY)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(_OPTIONS))
        try:
            yield running
        finally:
            running.close()
