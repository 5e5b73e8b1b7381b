from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.shared.instagram_rest import rests_until
from entity_pipeline_tests.databases import ClonedDatabase

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = NOW + timedelta(hours=1), NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("routes", "accounts", "expected"),
    [
        pytest.param({}, {}, None, id="nothing is known yet"),
        pytest.param({"direct": None}, {}, None, id="the anonymous route is free"),
        pytest.param({"direct": HOUR}, {}, HOUR, id="the anonymous route rests"),
        pytest.param({"direct": NOW}, {}, None, id="its rest is over"),
        pytest.param({"direct": HOUR, "p": None}, {"a": ("p", None)}, None, id="another way is free"),
        pytest.param({"direct": None, "p": HOUR}, {"a": ("p", None)}, HOUR, id="the accounts' route rests"),
        pytest.param({"p": None}, {"a": ("p", DAY), "b": ("p", HOUR)}, HOUR, id="the first account counts"),
        pytest.param({"p": DAY}, {"a": ("p", HOUR)}, DAY, id="route and account must both be free"),
    ],
)
def test_the_first_free_way_ends_the_rest(
    assets_db: ClonedDatabase,
    routes: dict[str, datetime | None],
    accounts: dict[str, tuple[str, datetime | None]],
    expected: datetime | None,
) -> None:
    with assets_db.connection() as connection:
        connection.execute("delete from instagram_pool_accounts; delete from instagram_routes")
        for name, until in routes.items():
            connection.execute(
                "insert into instagram_routes (name, cooling_until) values (%s, %s)", [name, until]
            )
        for name, (route, until) in accounts.items():
            connection.execute(
                "insert into instagram_pool_accounts (username, session_secret, route, state, cooling_until) "
                "values (%s, 's', %s, %s, %s)",
                [name, route, "cooling" if until else "active", until],
            )
        assert rests_until(connection, NOW) == expected
