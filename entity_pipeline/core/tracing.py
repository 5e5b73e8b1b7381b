"""Spans: where the time of a run goes, for those who collect traces. `resources/tracing` sends them, when told to.

A span's values are ours, counted or from a fixed vocabulary. What Instagram or Gemini wrote, who asks and by which
proxy are nobody's values: a collector is one more place to keep a secret in.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Value = str | bool | int | float


class Span(Protocol):
    """Something that takes time."""

    @property
    def is_recorded(self) -> bool:
        """Whether anybody will see it; when not, values need not be made."""

    def note(self, values: Mapping[str, Value | None]) -> None:
        """Add values by name; None is left out."""

    def failed(self, kind: str) -> None:
        """It came to nothing; `kind` is a word of ours or the class of an exception, never its text."""


class Tracing(Protocol):
    """Makes spans. Nothing it does fails, or delays more than the end of a run, and that by seconds at most."""

    def step(self, name: str) -> AbstractContextManager[Span]:
        """What an asset does; calls of all threads that begin within it belong to it."""

    def call(
        self, name: str, values: Mapping[str, Value], *, is_request: bool = True
    ) -> AbstractContextManager[Span]:
        """One request, or what is made of several; it belongs to the call around it in this thread, or to the step."""


class _NotRecorded:
    is_recorded = False

    def note(self, values: Mapping[str, Value | None]) -> None:
        """Nobody looks."""

    def failed(self, kind: str) -> None:
        """Nobody looks."""


class NotTraced:
    """Makes spans that nobody sees; takes no time worth naming."""

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
