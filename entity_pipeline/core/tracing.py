"""Spans: where the time of a run goes. `resources/tracing` exports them when it is configured.

Values are counts or come from a fixed vocabulary. Never record response text, accounts or proxies: a trace
collector is one more place that can leak them.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Value = str | bool | int | float


class Span(Protocol):
    """One timed piece of work."""

    @property
    def is_recorded(self) -> bool:
        """Whether it is exported; if not, values need not be computed."""

    def note(self, values: Mapping[str, Value | None]) -> None:
        """Add values by name; None is left out."""

    def failed(self, kind: str) -> None:
        """Mark the span failed. `kind` is one of our words or an exception class, never its message."""


class Tracing(Protocol):
    """Makes spans. It never fails; it delays only the end of a run, by seconds at most."""

    def step(self, name: str) -> AbstractContextManager[Span]:
        """The work of an asset; calls that begin within it, in any thread, belong to it."""

    def call(
        self, name: str, values: Mapping[str, Value], *, is_request: bool = True
    ) -> AbstractContextManager[Span]:
        """One request, or several together; its parent is the enclosing call in this thread, or the step."""


class _NotRecorded:
    is_recorded = False

    def note(self, values: Mapping[str, Value | None]) -> None:
        """Nothing is recorded."""

    def failed(self, kind: str) -> None:
        """Nothing is recorded."""


class NotTraced:
    """Makes spans that are not recorded, at no measurable cost."""

    def step(self, name: str) -> AbstractContextManager[Span]:
        """See `Tracing.step`."""
        return _NOTHING

    def call(
        self, name: str, values: Mapping[str, Value], *, is_request: bool = True
    ) -> AbstractContextManager[Span]:
        """See `Tracing.call`."""
        return _NOTHING


_NOTHING: AbstractContextManager[Span] = nullcontext(_NotRecorded())
NOT_TRACED = NotTraced()
