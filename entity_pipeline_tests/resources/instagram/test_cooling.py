"""Whether the account or the route is blamed for an outcome, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.core.instagram.outcomes import SeatOutcome
from entity_pipeline.resources.instagram.cooling import (
    ROUTE_COOLING,
    ROUTE_FAILURES,
    Consequence,
    RouteHealth,
    consequence,
    route_after,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("outcome", "with_session", "expected"),
    [
        ("ok", False, Consequence(route_healthy=True)),
        ("ok", True, Consequence(route_healthy=True)),
        ("rate_limited", False, Consequence("cooling", 45 * MINUTE, route_cooling=45 * MINUTE)),
        ("rate_limited", True, Consequence("cooling", 45 * MINUTE)),
        ("challenge", False, Consequence("cooling", 90 * MINUTE, route_cooling=90 * MINUTE)),
        ("challenge", True, Consequence("cooling", 90 * MINUTE)),
        ("logged_out", True, Consequence("needs_session")),
        ("logged_out", False, Consequence(route_failed=True)),
        ("suspended", True, Consequence("disabled")),
        ("suspended", False, Consequence()),
        ("wall", False, Consequence(route_failed=True)),
        ("wall", True, Consequence(route_failed=True)),
        ("transport", True, Consequence(route_failed=True)),
        ("upstream", True, Consequence()),
        ("unclear", True, Consequence()),
    ],
)
def test_each_outcome_has_its_consequence(outcome: str, with_session: bool, expected: Consequence) -> None:
    assert consequence(SeatOutcome(outcome), with_session=with_session) == expected


def test_a_session_is_never_blamed_for_a_request_that_did_not_carry_it() -> None:
    states = {consequence(outcome, with_session=False).account_state for outcome in SeatOutcome}
    assert states == {None, "cooling"}


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        pytest.param(
            RouteHealth("active", None, 0),
            Consequence(route_failed=True),
            RouteHealth("active", None, 1),
            id="one failure is only counted",
        ),
        pytest.param(
            RouteHealth("active", None, ROUTE_FAILURES - 1),
            Consequence(route_failed=True),
            RouteHealth("cooling", NOW + ROUTE_COOLING, 0),
            id="many in a row cool the route",
        ),
        pytest.param(
            RouteHealth("active", None, 3),
            Consequence(route_healthy=True),
            RouteHealth("active", None, 0),
            id="a success starts the count anew",
        ),
        pytest.param(
            RouteHealth("cooling", NOW + 60 * MINUTE, 0),
            Consequence(route_cooling=45 * MINUTE),
            RouteHealth("cooling", NOW + 60 * MINUTE, 0),
            id="a cooling never gets shorter",
        ),
        pytest.param(
            RouteHealth("cooling", NOW + MINUTE, 0),
            Consequence(route_healthy=True),
            RouteHealth("cooling", NOW + MINUTE, 0),
            id="a late success does not end a cooling",
        ),
        pytest.param(
            RouteHealth("cooling", NOW - MINUTE, 0),
            Consequence(route_healthy=True),
            RouteHealth("active", None, 0),
            id="a cooling that is over is cleared",
        ),
        pytest.param(
            RouteHealth("disabled", None, 0),
            Consequence(route_cooling=MINUTE),
            RouteHealth("disabled", NOW + MINUTE, 0),
            id="a disabled route stays disabled",
        ),
    ],
)
def test_a_route_remembers_its_health(before: RouteHealth, change: Consequence, after: RouteHealth) -> None:
    assert route_after(before, change, NOW) == after
