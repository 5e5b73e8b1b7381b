"""The parts of an HTTP answer that are judged, and how the call ended on our side. `judging.py` draws conclusions."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class Ending(StrEnum):
    """How a call failed on our side, apart from what the server said."""

    UNREADABLE = "unreadable"  # an exception other than those below
    TRANSPORT = "transport"  # the connection failed or broke off
    BUDGET = "budget"  # the operation needed more requests than it may make


@dataclass(frozen=True, slots=True)
class Answer:
    """The last HTTP answer. `path` is the final one, `body` its text (the first megabytes are enough).

    `with_session` says whether the request was authenticated: by a cookie or, in calls of the mobile API, by the
    header `authorization`.
    """

    status: int
    path: str = "/"
    location: str = ""  # the unchanged header
    content_type: str = ""
    body: str = ""
    with_session: bool = False


def path_of(url: str) -> str:
    """The path of an address, which may be malformed; without host, query and fragment."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
