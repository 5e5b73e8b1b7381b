"""An HTTP answer as it is judged, and how the call ended on our side. Values only; `judging.py` draws conclusions."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class Ending(StrEnum):
    """How a call failed on our side, apart from what the server said."""

    UNREADABLE = "unreadable"  # an exception other than those below
    TRANSPORT = "transport"  # the connection failed or broke off
    BUDGET = "budget"  # one more request than the operation may make was asked for


@dataclass(frozen=True, slots=True)
class Answer:
    """The last HTTP answer. `path` is the final one, `body` its text (the first megabytes are enough).

    `with_session` says whether the request proved an account: by a cookie or, in calls of the mobile kind, by the
    header `authorization`.
    """

    status: int
    path: str = "/"
    location: str = ""  # as the header has it
    content_type: str = ""
    body: str = ""
    with_session: bool = False


def path_of(url: str) -> str:
    """The path of an address, which may be malformed; without host, query and fragment."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
