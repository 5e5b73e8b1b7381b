"""`ProfileLook`: the public profile page, and one more request for fields that it left out.

The page is read without cookies even when a session is loaded, so a refusal concerns the route only. Reading the node
is `profile_node.py`.
"""

import re
from collections.abc import Mapping
from typing import Any

from instaloader import Profile, get_json_structure

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import CANARY, InstagramProfile, ProfileLook
from entity_pipeline.resources.instagram.attempt import Wire
from entity_pipeline.resources.instagram.context import GovernedContext
from entity_pipeline.resources.instagram.handlers import SeatedHandler
from entity_pipeline.resources.instagram.judging import (
    ABSENT,
    RESTRICTED,
    UNREADABLE,
    DataCall,
    PageCall,
    Verdict,
)
from entity_pipeline.resources.instagram.operations.profile_node import read_profile
from entity_pipeline.resources.instagram.page_marks import PageMarks

_USERNAME = re.compile(r"(?!\.)(?!.*\.\.)[a-z0-9_.]{1,30}(?<!\.)")
_PAGE_FIELDS = ("full_name", "biography")


def page_says(status: int, marks: PageMarks) -> Verdict:
    """The verdict on a page without a refusal from which no profile could be read.

    Any 404 is an absence here, even a bare "Not Found": the canary shows whether it was a block. Every page has a link
    to the login, so that mark is checked last.
    """
    if status in (404, 410):
        return ABSENT
    if status != 200 or marks.other_profile:
        return UNREADABLE
    if marks.restricted:
        return RESTRICTED
    if marks.gone or marks.user == "null":
        return ABSENT
    if marks.user == "absent" and marks.login_link:
        return Verdict(Finding.UNANSWERED, SeatOutcome.WALL)
    return UNREADABLE


PAGE = PageCall(page_says)
FIELDS = DataCall()


def _ask(look: ProfileLook, wire: Wire) -> InstagramProfile:
    asked, context = look.target, wire.context
    node = _node(Profile.from_username(context, asked))
    profile = read_profile(node, asked)
    if all(name in node for name in _PAGE_FIELDS):
        return profile
    completed = wire.optional(FIELDS, lambda: read_profile({**node, **_completed(context, node)}, asked))
    return completed or profile


def _completed(context: GovernedContext, node: Mapping[str, Any]) -> dict[str, Any]:
    """The same profile with the fields that its page left out, from one more request."""
    profile = Profile(context, dict(node))
    profile._obtain_metadata()  # noqa: SLF001 - its public properties read one field each
    return _node(profile)


def _node(profile: Profile) -> dict[str, Any]:
    node: dict[str, Any] = get_json_structure(profile)["node"]
    return node


def refuses_name(look: Operation[Any]) -> str | None:
    """A sentence when the operation's target can't be a username."""
    return None if _USERNAME.fullmatch(look.target) else "This is not a valid username; nothing was sent."


HANDLER = SeatedHandler(
    call=PAGE,
    most_requests=3,  # the page, one for the fields it left out, and one to spare
    first_host="www.instagram.com",
    ask=_ask,
    refuses=refuses_name,
    canary=ProfileLook(CANARY),
)
