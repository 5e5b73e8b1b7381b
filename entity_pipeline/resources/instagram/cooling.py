"""The effect of a seat's outcome on its account and its route. Pure; the target of the request is not known here.

Some pages are read without cookies even when a session is loaded, so an answer may be held against the session only if
the request that got it carried the session.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from entity_pipeline.core.instagram.outcomes import SeatOutcome

RATE_LIMIT_COOLING = timedelta(minutes=45)
CHALLENGE_COOLING = timedelta(minutes=90)
ROUTE_COOLING = timedelta(minutes=15)
ROUTE_FAILURES = 5  # in a row; after these the route cools down


@dataclass(frozen=True, slots=True)
class Consequence:
    """Changes to make; None and False mean no change."""

    account_state: Literal["cooling", "needs_session", "disabled"] | None = None
    account_cooling: timedelta | None = None
    route_cooling: timedelta | None = None
    route_failed: bool = False
    route_healthy: bool = False


@dataclass(frozen=True, slots=True)
class RouteHealth:
    """A route as it stands: `failures` counts those in a row."""

    state: str
    cooling_until: datetime | None
    failures: int


def route_after(health: RouteHealth, change: Consequence, now: datetime) -> RouteHealth:
    """The route once `change` is applied. A cooling never gets shorter; a disabled route stays disabled."""
    failures = 0 if change.route_healthy else health.failures + change.route_failed
    tripped = failures >= ROUTE_FAILURES
    ends = [
        health.cooling_until,
        now + change.route_cooling if change.route_cooling else None,
        now + ROUTE_COOLING if tripped else None,
    ]
    cooling_until = max((end for end in ends if end is not None and end > now), default=None)
    state = "cooling" if cooling_until else "active"
    return RouteHealth(
        state if health.state != "disabled" else "disabled", cooling_until, 0 if tripped else failures
    )


def consequence(outcome: SeatOutcome, *, with_session: bool) -> Consequence:
    """What follows from `outcome` of a request that did or did not carry the account's session."""
    match outcome:
        case SeatOutcome.OK:
            return Consequence(route_healthy=True)
        case SeatOutcome.LIMITED:
            return _cool(RATE_LIMIT_COOLING, with_session)
        case SeatOutcome.CHALLENGED:
            return _cool(CHALLENGE_COOLING, with_session)
        case SeatOutcome.LOGGED_OUT if with_session:
            return Consequence(account_state="needs_session")
        case SeatOutcome.SUSPENDED if with_session:
            return Consequence(account_state="disabled")
        case SeatOutcome.WALL | SeatOutcome.TRANSPORT | SeatOutcome.LOGGED_OUT:
            return Consequence(route_failed=True)
        case _:
            return Consequence()


def _cool(period: timedelta, with_session: bool) -> Consequence:
    # Without cookies Instagram saw only the IP address, so the route has to cool down too.
    return Consequence(
        account_state="cooling", account_cooling=period, route_cooling=None if with_session else period
    )
