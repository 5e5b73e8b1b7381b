"""A person with something in every table, another person who stays, and a look for traces."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.models import Priority, TaskType
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.tasks.rules import NewTask
from entity_pipeline_tests.databases import ClonedDatabase

NAME, PK = "trace.name", 987_654_321_012
CODE, HIGHLIGHT = "TraceCode", 17_000_000_000_000_001
# Nothing of the person may be found by any of these.
MARKS = ("trace", "Trace", str(PK), str(HIGHLIGHT))
OTHER, OTHER_PK = "other.name", 111
SHARED_KEY, OWN_KEYS = (
    "influencers/pictures/aa/shared.jpg",
    ("influencers/pictures/bb/trace.jpg", "influencers/pictures/cc/trace.jpg"),
)
_APART = (
    *(
        "id",
        "person_id",
        "blog_id",
        "erasure_id",
        "task_key",
        "subject",
        "created_at",
        "updated_at",
        "erased_at",
    ),
    *("state_changed_at", "completed_at", "due_at", "requested_at", "taken_at", "applied_at"),
)


def add_person(database: Database, username: str, pk: int, mark: str, *, keys: tuple[str, str]) -> UUID:
    """A person with a blog, three posts, a highlight, a category, insights and three tasks; returns the blog's id."""
    with database.connection() as connection, connection.transaction():
        [person] = connection.execute(
            "insert into persons (full_name) values (%s) returning id", [f"{mark} p"]
        ).fetchone()
        [blog] = connection.execute(
            "insert into blogs (person_id, username, platform_id, full_name, biography, avatar_url, avatar_key, "
            "external_url, follower_count, scrape_status, ai_insights, insights_meta, sightings) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, 5000, 'active', %s, %s, %s) returning id",
            [
                person,
                username,
                pk,
                mark,
                f"{mark} bio",
                f"https://a.example/v/{mark}_a.jpg?sig=1",
                keys[0],
                f"https://{mark}.example",
                f'{{"notes": "{mark}"}}',
                f'{{"evidence": "{mark}"}}',
                f'["{mark}"]',
            ],
        ).fetchone()
        for nth, key in enumerate((keys[1], SHARED_KEY, None)):
            connection.execute(
                "insert into blog_posts (blog_id, platform_id, code, caption_text, thumbnail_url, thumbnail_key, "
                "hashtags, taken_at) values (%s, %s, %s, %s, %s, %s, %s, now())",
                [
                    blog,
                    nth + 1,
                    f"{mark}Code{nth}",
                    f"{mark} caption",
                    f"https://a.example/v/{mark}_{nth}.jpg",
                    key,
                    [mark],
                ],
            )
        connection.execute(
            "insert into blog_highlights (blog_id, platform_id, title) values (%s, %s, %s)",
            [blog, HIGHLIGHT if username == NAME else 5, f"{mark} title"],
        )
        connection.execute(
            "insert into blog_categories (blog_id, category_id) select %s, id from categories where code = 'food'",
            [blog],
        )
        scrape = NewTask(TaskType.FULL_SCRAPE, str(blog), Priority.UPDATE, {"note": mark})
        analysis = NewTask(TaskType.AI_ANALYSIS, str(blog), Priority.ANALYSIS)
        STORE.create(connection, [scrape, analysis])
    return UUID(str(blog))


def add_traces(database: Database, blog: UUID) -> None:
    """What other tables hold about the person: the ledger, the log of requests, a search that has not ended."""
    with database.connection() as connection:
        connection.execute(
            "insert into gemini_usage_events (pipeline, step, model, state, subject, reply, request, error, cost_usd) "
            "values ('influencers', 'insights', 'm', 'settled', %s, '{\"text\": \"Trace\"}', "
            '\'{"system": "Trace", "parts": ["Trace"], "model": "m"}\', \'{"message": "Trace", "code": 1}\', 0.25)',
            [str(blog)],
        )
        for operation, target, username in (
            ("profile", NAME, None),
            ("profile_by_id", str(PK), None),
            ("highlight_items", f"5,{HIGHLIGHT}", None),
            ("picture", "/v/Trace_a.jpg", None),
            ("post", "TraceCode1", None),
            ("profile", None, NAME),
            ("profile", OTHER, None),
        ):
            connection.execute(
                "insert into instagram_request_log "
                "(account_key, route, host, requested_at, operation, target, username) "
                "values ('anonymous:direct', 'direct', 'i', now(), %s, %s, %s)",
                [operation, target, username],
            )
        [search] = STORE.create(connection, [NewTask(TaskType.DISCOVER, "ootd", 10)])
        connection.execute(
            "update scrape_tasks set steps = jsonb_build_object('people', jsonb_build_array(5, %s, 6), 'looks', "
            "jsonb_build_object(%s::text, 'private', '5', 'private')) where id = %s",
            [PK, str(PK), search.id],
        )


def traces(database: Database) -> list[str]:
    """Every row of the database that has one of the marks."""
    found = []
    with database.connection() as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "select tablename from pg_tables where schemaname = 'public' order by 1"
            )
        ]
        for table in tables:
            for (text,) in connection.execute(f"select to_jsonb(t)::text from {table} t".encode()):
                found += [f"{table}: {text}" for mark in MARKS if mark in text]
    return found


def snapshot(database: Database) -> dict[str, list[str]]:
    """All rows of all tables, without moments, ids that are drawn, and fences."""
    apart = ",".join(_APART)
    with database.connection() as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "select tablename from pg_tables where schemaname = 'public' order by 1"
            )
        ]
        return {
            table: sorted(
                row[0]
                for row in connection.execute(
                    f"select (to_jsonb(t) - '{{{apart}}}'::text[])::text from {table} t".encode()
                )
            )
            for table in tables
        }


class Killed(BaseException):
    """The process ends here."""


class DyingDatabase:
    """Ends the process at the statement or commit with this number, counted from 0; `points` counts them."""

    def __init__(self, database: ClonedDatabase, dies_at: int | None = None) -> None:
        self._database, self._dies_at = database, dies_at
        self.points = 0

    def point(self) -> None:
        """One moment at which a process may end."""
        self.points += 1
        if self.points - 1 == self._dies_at:
            raise Killed

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with self._database.connection() as connection:
            yield _Dying(connection, self.point)


class _Dying:
    def __init__(self, connection: Any, point: Callable[[], None]) -> None:
        self._connection, self._point = connection, point

    def execute(self, *arguments: Any) -> Any:
        self._point()
        return self._connection.execute(*arguments)

    def __enter__(self) -> "_Dying":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def cursor(self, **options: Any) -> Any:
        return _Dying(self._connection.cursor(**options), self._point)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._connection.transaction() as transaction:
            yield transaction
            self._point()
        self._point()
