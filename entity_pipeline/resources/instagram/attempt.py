"""One attempt at one operation with a seat already granted: ask, read, judge. Importing this imports Instaloader.

Exceptions are not distinguished: hostile JSON alone makes Instaloader raise AssertionError, AttributeError, TypeError
or RecursionError, and the last answer says more than any of them. Granting a seat and reporting to the governor belong
to `session.py`, and the requests of one operation to `operations/`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.resources.instagram.adapter import BudgetSpent, GovernedAdapter, is_transport_failure
from entity_pipeline.resources.instagram.answers import Answer, Ending, path_of
from entity_pipeline.resources.instagram.context import GovernedContext
from entity_pipeline.resources.instagram.handlers import Observed, SeatedHandler, Unreadable
from entity_pipeline.resources.instagram.judging import Call, Verdict, judge, refused
from entity_pipeline.resources.instagram.seating import SlotRefused
from entity_pipeline.resources.instagram.session_secrets import Identity
from entity_pipeline.resources.instagram.web_tokens import WebTokens

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class Attempted(Generic[R]):
    """How the attempt ended. `learned` is reported to the governor; None if nothing was sent.

    `with_session` says whether the request that `learned` comes from carried the account's session.
    """

    finding: Finding
    value: R | None
    detail: str
    learned: SeatOutcome | None
    with_session: bool


@dataclass
class Wire:
    """The handler's means to send: an Instaloader context in which every request is counted first."""

    context: GovernedContext
    adapter: GovernedAdapter = field(repr=False)
    tokens: WebTokens = field(default_factory=WebTokens, repr=False)
    learned: SeatOutcome = SeatOutcome.OK

    def json(self, ask: Callable[[], object]) -> Mapping[str, Any]:
        """The JSON object that answers `ask`, a call of Instaloader, whatever Instaloader makes of it.

        It raises the same exception for a post that is gone, a field under a new name and a retired query.
        """
        try:
            ask()
        except Exception:
            if self.context.last_json is None:
                raise
        answer = self.context.last_json
        if not isinstance(answer, Mapping):
            raise Unreadable("the answer is not an object")
        return answer

    def optional(self, call: Call, ask: Callable[[], T]) -> T | None:
        """The result of one more request, or None if it failed; a failure is reported only to the governor."""
        before = self.adapter.sent
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 - see above: the last answer is judged
            if self.adapter.sent > before:
                self.learned = judge(call, self.adapter.last_answer, _ending(error)).seat
            return None


def attempt(
    handler: SeatedHandler[R],
    operation: Operation[R],
    identity: Identity,
    *,
    before_send: Callable[[str], None],
    timeout_s: float,
    base_url: str | None = None,
    tokens: WebTokens | None = None,
) -> Attempted[R]:
    """Run the handler; `before_send(host)` counts each request; if it raises, the attempt ends without sending.

    `tokens` are those kept from earlier attempts.
    """
    adapter = GovernedAdapter(
        before_send, budget=handler.most_requests, body_timeout_s=timeout_s, base_url=base_url
    )
    try:
        context = GovernedContext(adapter, timeout_s=timeout_s, proxy=identity.proxy)
        try:
            if identity.account is not None and identity.cookies is not None:
                context.load_session(identity.account, identity.cookies)
            return _ask(handler, operation, Wire(context, adapter, tokens or WebTokens()))
        finally:
            context.close()
    finally:
        adapter.shut()


def _ask(handler: SeatedHandler[R], operation: Operation[R], wire: Wire) -> Attempted[R]:
    adapter = wire.adapter
    try:
        value = handler.ask(operation, wire)
    except Exception as error:  # noqa: BLE001 - the same
        verdict = _verdict(handler.call, adapter.last_answer, error)
        learned = verdict.seat if adapter.sent else None
        detail = _sentence(adapter.last_answer, error)
        return Attempted(verdict.finding, None, detail, learned, adapter.sent_with_session)
    return Attempted(Finding.FOUND, value, "", wire.learned, adapter.sent_with_session)


def _verdict(call: Call, answer: Answer | None, error: Exception) -> Verdict:
    if isinstance(error, Observed):
        return (refused(answer) if answer is not None else None) or error.verdict
    return judge(call, answer, _ending(error))


def _ending(error: Exception) -> Ending:
    if isinstance(error, BudgetSpent | SlotRefused):
        return Ending.BUDGET
    return Ending.TRANSPORT if is_transport_failure(error) else Ending.UNREADABLE


def _sentence(answer: Answer | None, error: Exception) -> str:
    """What happened, without the error's own text: that may quote a proxy's address or a signed URL."""
    kind = type(error).__name__
    if answer is None:
        return f"No answer came ({kind})."
    to = f" to {path_of(answer.location)}" if answer.location else ""
    if isinstance(error, Observed | Unreadable):
        return f"HTTP {answer.status}{to}: {error}."
    return f"HTTP {answer.status}{to} ({kind})."
