"""How a request ended: for the seat that sent it (`SeatOutcome`), and apart from that about its target (`Finding`).

The values are the words that tables and metadata have held since the first release.
"""

from enum import StrEnum


class SeatOutcome(StrEnum):
    """What an answer says about the account and the route that asked. Nothing here is about the target."""

    OK = "ok"
    WALL = "wall"  # the login wall in place of what was asked for
    LIMITED = "rate_limited"
    CHALLENGED = "challenge"
    LOGGED_OUT = "logged_out"
    SUSPENDED = "suspended"
    TRANSPORT = "transport"  # no HTTP answer: refused, reset, timed out
    UPSTREAM = "upstream"  # HTTP 5xx
    UNCLEAR = "unclear"  # an answer that says nothing about the seat


class Finding(StrEnum):
    """What is known of the target afterwards."""

    FOUND = "found"
    NOT_FOUND = (
        "not_found"  # one observation, not yet a fact: see `Result.canary` and `core/instagram/absence.py`
    )
    PRIVATE = "private"  # it exists and is not shown to this seat
    DRIFT = "schema_drift"  # an answer that can't be read
    REFUSED = "refused"  # an offer that our own rules refuse, such as a picture that is too large
    BUDGET = "budget"  # more requests were needed than the operation may make
    UNANSWERED = "unanswered"  # the seat got no answer about the target: `Result.seat` says why
