"""How a request ended: for the seat that sent it (`SeatOutcome`), and separately for its target (`Finding`).

The values are the words that tables and metadata have held since the first release.
"""

from enum import StrEnum


class SeatOutcome(StrEnum):
    """What a response says about the account and the route that asked, never about the target."""

    OK = "ok"
    WALL = "wall"  # the login wall in place of the requested page
    LIMITED = "rate_limited"
    CHALLENGED = "challenge"
    LOGGED_OUT = "logged_out"
    SUSPENDED = "suspended"
    TRANSPORT = "transport"  # no HTTP answer: refused, reset, timed out
    UPSTREAM = "upstream"  # HTTP 5xx
    UNCLEAR = "unclear"  # a response that says nothing about the seat


class Finding(StrEnum):
    """What is known about the target afterwards."""

    FOUND = "found"
    NOT_FOUND = (
        "not_found"  # one observation, not yet a fact: see `Result.canary` and `core/instagram/absence.py`
    )
    PRIVATE = "private"  # it exists but is not shown to this seat
    RESTRICTED = "restricted"  # it exists, behind a wall of its own: an age limit or a blocked country
    DRIFT = "schema_drift"  # a response that can't be read
    REFUSED = "refused"  # an offer that our own rules refuse, such as a picture that is too large
    BUDGET = "budget"  # more requests were needed than the operation may make
    UNANSWERED = "unanswered"  # the seat got no answer about the target: `Result.seat` says why
