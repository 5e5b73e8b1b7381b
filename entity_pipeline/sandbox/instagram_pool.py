"""Made-up accounts for the pool of the sandbox, so that operations which need a session can run.

Each has a route of its own, so that a bad day of one does not stop the others.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from entity_pipeline.core.ports import Database
from entity_pipeline.resources.instagram.pool import add_account
from entity_pipeline.resources.instagram.session_secrets import REQUIRED_COOKIES, SessionSecrets

_ADD_ROUTE = "insert into public.instagram_routes (name) values (%s) on conflict (name) do nothing"
_IS_THERE = "select exists (select from public.instagram_pool_accounts where username = any (%s))"


def add_pool_accounts(database: Database, usernames: Sequence[str]) -> bool:
    """Add the accounts, unless one of them is there already; returns whether they are new.

    Args:
        database: The database `assets`.
        usernames: Lower case; a route of the same name is made for each.
    """
    secrets = SessionSecrets(os.environ.get("INSTAGRAM_SESSION_KEYS"))
    with database.connection() as connection, connection.transaction():
        if connection.execute(_IS_THERE, [list(usernames)]).fetchone()[0]:
            return False
        for username in usernames:
            cookies = dict.fromkeys(REQUIRED_COOKIES, f"simulated-{username}")
            connection.execute(_ADD_ROUTE, [username])
            add_account(
                connection, username, secrets.seal_cookies(cookies), datetime.now(UTC), route=username
            )
    return True
