"""A queue to work on: bloggers of a test's own at the Instagram stand-in, one account of the pool, wide limits."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

import psycopg
from cryptography.fernet import Fernet

from entity_pipeline.core.instagram.settings import InstagramSettings, InstagramWindows
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.instagram_scripts import AccountScript, ScriptedPost, TopPosts
from entity_pipeline.sandbox.instagram_standin import InstagramStandin
from entity_pipeline.shared.tasks.rules import NewTask, Task
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.instagram_row import OPEN
from entity_pipeline_tests.settings_rows import put_row

Connection = psycopg.Connection[Any]

SESSION_KEY = Fernet.generate_key().decode()
COOKIES = {"csrftoken": "c", "sessionid": "1%3As3cret", "ds_user_id": "1"}
_POSTED_AT = 1_790_000_000


def blogger(
    username: str,
    *,
    followers: int = 5_000,
    posts: int = 6,
    behaviour: str = "",
    pk: int | None = None,
    bad_days: Sequence[str] = (),
) -> SimulatedAccount:
    """An account with so many posts, an hour apart."""
    written = tuple(
        ScriptedPost(_POSTED_AT - 3_600 * nth, "photo", f"post {nth}", likes=100, comments=5)
        for nth in range(posts)
    )
    script = AccountScript(followers, posts=written, bad_days=tuple(bad_days))
    return SimulatedAccount(username, username.title(), "", behaviour=behaviour, pk=pk, script=script)


@dataclass
class Ground:
    """One installation without Dagster. `standin` counts the requests that reached it."""

    database: ClonedDatabase
    standin: InstagramStandin
    access: InstagramResource
    stop: Event = field(default_factory=Event)

    def settings(self, *, on: bool = True, **changes: Any) -> None:
        """Write the domain's row."""
        with self.database.connection() as connection:
            put_row(connection, InfluencerSettings, changes, on=on)

    def instagram(self, windows: InstagramWindows = OPEN, *, on: bool = True, terms: bool = True) -> None:
        """Write the row of Instagram."""
        row = {"terms_acknowledged": terms, "windows": windows.model_dump(mode="json")}
        with self.database.connection() as connection:
            put_row(connection, InstagramSettings, row, on=on)

    def put(self, *tasks: NewTask) -> None:
        """New tasks."""
        with self.database.connection() as connection:
            STORE.create(connection, tasks)

    def blog(self, username: str) -> UUID:
        """The id of the person's blog, which is made with its task if it is not there."""
        with self.database.connection() as connection:
            [asked] = ask_for_blogs(connection, [username])
        assert asked.blog_id is not None
        return asked.blog_id

    def claim(self, most: int = 1, name: str = "a claim", types: Sequence[str] | None = None) -> list[Task]:
        """Take due tasks, strictly by priority."""
        with self.database.connection() as connection:
            return replace(STORE, draw=lambda: 0.0).claim(connection, name, most, types)

    def work(self, lost: Event | None = None, **settings: Any) -> Work:
        """What a handler gets."""
        return Work(
            settings=InfluencerSettings(**settings),
            session=self.access.session(KEY),
            database=self.database,
            store=STORE,
            stop=self.stop,
            lost=lost or Event(),
            deadline=datetime.now(UTC) + timedelta(minutes=5),
        )

    def tasks(self) -> list[Task]:
        """All tasks, the oldest first."""
        with self.database.connection() as connection:
            return STORE.page(connection, 10_000)[::-1]

    def lose_workers(self) -> None:
        """Let every lease have run out, and recover."""
        with self.database.connection() as connection:
            connection.execute(
                "update scrape_tasks set lease_until = now() - interval '1 second' where lease_until is not null"
            )
            STORE.recover(connection)

    def wake(self) -> None:
        """Let every wait be over."""
        with self.database.connection() as connection:
            # In the order in which the store locks them.
            connection.execute(
                "with waits as (select id from scrape_tasks where coalesce(deferred_until, next_retry_at) is not null"
                " order by id for update) "
                "update scrape_tasks t set deferred_until = null, next_retry_at = null from waits where t.id = waits.id"
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.database.connection() as connection:
            return connection.execute(query.encode()).fetchall()

    def requests(self) -> list[tuple[str, str]]:
        """Operation and target of each request that was logged, in their order."""
        return [
            (row[0], row[1])
            for row in self.rows(
                "select operation, target from instagram_request_log order by requested_at, id"
            )
        ]


@contextmanager
def ground(
    database: ClonedDatabase,
    accounts: Sequence[SimulatedAccount] = (),
    tags: Mapping[str, TopPosts] | None = None,
    *,
    seats: int = 1,
) -> Iterator[Ground]:
    """An installation that is switched on, with so many accounts in the pool."""
    with InstagramStandin(accounts, tags, latency_ms=0) as standin:
        access = InstagramResource(base_url=standin.url, session_keys=SESSION_KEY, assets_db=database)
        made = Ground(database, standin, access)
        made.instagram()
        made.settings()
        secrets = SessionSecrets(SESSION_KEY)
        with database.connection() as connection:
            for nth in range(seats):
                connection.execute(
                    "insert into instagram_pool_accounts (username, route, session_secret) "
                    "values (%s, 'direct', %s)",
                    [f"pool_{nth}", secrets.seal_cookies(COOKIES)],
                )
        yield made
