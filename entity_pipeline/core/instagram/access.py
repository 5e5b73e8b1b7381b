"""The port to Instagram; implemented by `resources/instagram`.

A caller passes an operation and a deadline. Leases, slots, windows, cooling and canaries belong to the port, so no
caller decides how much all callers may use.
"""

from datetime import datetime
from typing import Protocol, TypeVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.results import Deferred, Result

R = TypeVar("R")


class InstagramSession(Protocol):
    """Runs operations for one domain, for as long as a run takes."""

    def run(self, operation: Operation[R], deadline: datetime) -> Result[R] | Deferred:
        """One governed attempt. Never raises; waits seconds at most, and never beyond `deadline` (UTC)."""


class InstagramAccess(Protocol):
    """Opens sessions."""

    def session(self, domain: str, account: str | None = None) -> InstagramSession:
        """A session for the domain of this key.

        With `account`, requests go only through that account of the pool and its route: to test it.
        """
