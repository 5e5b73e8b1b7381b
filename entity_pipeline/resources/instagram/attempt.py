"""One attempt through Instaloader with a seat already granted: ask, read, judge.

Importing this imports Instaloader. Its exceptions are not told apart: hostile JSON alone makes it raise
AssertionError, AttributeError, TypeError or RecursionError, and the last answer says more than any of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.instagram.access import InstagramProfile, ProfileOutcome
from entity_pipeline.resources.instagram.adapter import BudgetSpent, GovernedAdapter, is_transport_failure
from entity_pipeline.resources.instagram.context import GovernedContext, completed_node, profile_node
from entity_pipeline.resources.instagram.operations.profile_page import NotTheProfile, read_profile
from entity_pipeline.resources.instagram.outcomes import Answer, Ending, judge, path_of

BUDGET = 3  # requests: the page, one for the fields it left out, and one to spare
_PAGE_FIELDS = ("full_name", "biography")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks and by which way, with the secrets opened; not for any log."""

    account: str | None = None
    cookies: Mapping[str, str] | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Identity(account={self.account!r})"


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of it. `seat_outcome` is what the governor should learn: None when nothing was sent."""

    outcome: ProfileOutcome
    profile: InstagramProfile | None
    detail: str
    seat_outcome: ProfileOutcome | None
    with_session: bool


def attempt(
    asked: str,
    identity: Identity,
    *,
    before_send: Callable[[str], None],
    timeout_s: float,
    base_url: str | None = None,
) -> Attempted:
    """Read the public profile page of `asked`, and ask once more for fields it left out.

    `before_send(host)` counts each request; what it raises ends the attempt before anything is sent.
    """
    adapter = GovernedAdapter(before_send, budget=BUDGET, body_timeout_s=timeout_s, base_url=base_url)
    try:
        context = GovernedContext(adapter, timeout_s=timeout_s, proxy=identity.proxy)
        try:
            if identity.account is not None and identity.cookies is not None:
                context.load_session(identity.account, identity.cookies)
            return _ask(asked, adapter, context)
        finally:
            context.close()
    finally:
        adapter.shut()


def _ask(asked: str, adapter: GovernedAdapter, context: GovernedContext) -> Attempted:
    try:
        node = profile_node(context, asked)
        profile = read_profile(node, asked)
    except Exception as error:  # noqa: BLE001 - see above: the last answer is judged
        outcome = judge(adapter.last_answer, _ending(error))
        learned = outcome if adapter.sent else None
        detail = _sentence(adapter.last_answer, error)
        return Attempted(outcome, None, detail, learned, adapter.sent_with_session)
    learned = ProfileOutcome.FOUND
    if any(name not in node for name in _PAGE_FIELDS):
        profile, learned = _complete(asked, profile, node, adapter, context)
    return Attempted(ProfileOutcome.FOUND, profile, "", learned, adapter.sent_with_session)


def _complete(
    asked: str,
    profile: InstagramProfile,
    node: Mapping[str, Any],
    adapter: GovernedAdapter,
    context: GovernedContext,
) -> tuple[InstagramProfile, ProfileOutcome]:
    """The profile with what the page left out, or as it was, and what the seat should learn from asking."""
    before = adapter.sent
    try:
        return read_profile({**node, **completed_node(context, node)}, asked), ProfileOutcome.FOUND
    except Exception as error:  # noqa: BLE001 - the same
        if adapter.sent == before:
            return profile, ProfileOutcome.FOUND
        return profile, judge(adapter.last_answer, _ending(error))


def _ending(error: Exception) -> Ending:
    if isinstance(error, BudgetSpent):
        return Ending.BUDGET
    return Ending.TRANSPORT if is_transport_failure(error) else Ending.UNREADABLE


def _sentence(answer: Answer | None, error: Exception) -> str:
    """What happened, without the error's own text: that may quote a proxy's address or a signed URL."""
    kind = type(error).__name__
    if answer is None:
        return f"No answer came ({kind})."
    to = f" to {path_of(answer.location)}" if answer.location else ""
    if isinstance(error, NotTheProfile):
        return f"HTTP {answer.status}{to}: {error}."
    return f"HTTP {answer.status}{to} ({kind})."
