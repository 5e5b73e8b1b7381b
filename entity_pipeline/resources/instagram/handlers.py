"""How an operation is run: its requests, how their answers are judged, and its canary.

A handler is the constant `HANDLER` of `operations/<name of the operation>.py`. To add an operation, write that file
and a value in `core/instagram`; nothing else names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.resources.instagram import operations
from entity_pipeline.resources.instagram.judging import Call, Verdict

if TYPE_CHECKING:
    from entity_pipeline.resources.instagram.attempt import Wire

R = TypeVar("R")


class Unreadable(ValueError):
    """Raised by a handler's reader: the answer does not hold the requested value. The text is a sentence of ours.

    The last answer decides what that means.
    """


class Observed(Exception):
    """Raised by a handler's `ask` with what an answer says about the target. The text is a sentence of ours."""

    def __init__(self, finding: Finding, sentence: str, seat: SeatOutcome = SeatOutcome.OK) -> None:
        super().__init__(sentence)
        self.verdict = Verdict(finding, seat)


def nothing(operation: Any) -> None:
    """A `refuses` that refuses no target."""


@dataclass(frozen=True)
class SeatedHandler(Generic[R]):
    """An operation that Instagram is asked as an account of the pool, or anonymously.

    Args:
        call: How the answer is judged when `ask` fails.
        most_requests: Requests that one attempt may make.
        first_host: Host of the first request, which is counted together with the seat.
        ask: Sends through the wire, reads, and returns the value. If it raises, the last answer is judged.
        refuses: A sentence when the target can't exist, so that nothing is sent.
        needs_session: Whether only an account of the pool can ask; strangers are refused this request.
        canary: Something of the same kind that is known to exist; None when "not found" needs no confirmation.
    """

    call: Call
    most_requests: int
    first_host: str
    ask: Callable[[Any, "Wire"], R]
    refuses: Callable[[Any], str | None] = nothing
    needs_session: bool = False
    canary: Operation[R] | None = None


@dataclass(frozen=True)
class OpenHandler(Generic[R]):
    """An operation on a public address that needs no seat, such as a picture: it is counted but has no window.

    Args:
        host: The host that will be asked; None when the address is refused, and then nothing is sent.
        fetch: Sends and reads; given the operation and the base URL that takes every connection, or None.
    """

    host: Callable[[Any], str | None]
    fetch: Callable[[Any, str | None], Result[R]]


def handler_of(operation: Operation[R]) -> SeatedHandler[R] | OpenHandler[R]:
    """The handler of an operation, by its name."""
    handler: SeatedHandler[R] | OpenHandler[R] = import_module(
        f"{operations.__name__}.{operation.name}"
    ).HANDLER
    return handler
