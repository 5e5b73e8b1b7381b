"""The operator's Instagram accounts by state, never by name. Who may ask now is the governor's."""

from typing import Any

from psycopg import Connection

POOL_STATES = ("active", "cooling", "needs_session", "disabled")

_BY_STATE = "select state, count(*)::int from instagram_pool_accounts group by 1"


def pool_states(connection: Connection[Any]) -> dict[str, int]:
    """How many accounts are in each state that any is in."""
    return dict(connection.execute(_BY_STATE).fetchall())
