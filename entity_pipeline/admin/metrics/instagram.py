"""Metrics of the Instagram pool: the operator's accounts and the routes, by state and never by name."""

from collections.abc import Callable, Mapping

from psycopg import Connection

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import Asking, Described, MetricsPart, Samples, by_value
from entity_pipeline.core.ports import Database
from entity_pipeline.shared.instagram_pool import POOL_STATES, pool_states

ROUTE_STATES = ("active", "cooling", "disabled")

FAMILIES: Mapping[str, Described] = {
    "instagram_pool_accounts": Described("The operator's Instagram accounts.", ("state",)),
    "instagram_routes": Described("Routes to Instagram.", ("state",)),
}


def instagram_part(at: Installation) -> MetricsPart:
    """The pool's part."""

    def read(asking: Asking) -> Mapping[str, Samples]:
        accounts = asking.known(lambda: _counted(at.assets_db, pool_states))
        routes = asking.known(lambda: _counted(at.assets_db, route_states))
        return {
            **({"instagram_pool_accounts": by_value(POOL_STATES, accounts)} if accounts is not None else {}),
            **({"instagram_routes": by_value(ROUTE_STATES, routes)} if routes is not None else {}),
        }

    return MetricsPart(name="instagram", families=FAMILIES, read=read)


def route_states(connection: Connection) -> dict[str, int]:
    """Routes by state."""
    return dict(connection.execute("select state, count(*)::int from instagram_routes group by 1").fetchall())


def _counted(database: Database, count: Callable[[Connection], dict[str, int]]) -> dict[str, int]:
    with database.connection() as connection:
        return count(connection)
