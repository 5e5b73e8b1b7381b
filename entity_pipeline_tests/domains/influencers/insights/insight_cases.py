"""What the tests of insights start from: blogs whose tasks wait, answers about them, and one run of each kind."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from PIL import Image

from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.picture import Picture
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights.collection import Collection
from entity_pipeline.domains.influencers.insights.logic.wire import wire_answer
from entity_pipeline.domains.influencers.insights.submission import Submission
from entity_pipeline.domains.influencers.models import Priority, TaskType
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.sandbox.gemini_answers import GeminiAnswer, GeminiSubject
from entity_pipeline.sandbox.gemini_request import texts_of
from entity_pipeline.sandbox.gemini_standin import GeminiStandin
from entity_pipeline.shared.tasks.rules import NewTask
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.instagram import FakeInstagram
from entity_pipeline_tests.fakes.object_store import FakeObjectStore
from entity_pipeline_tests.resources.gemini.ledger_cases import limit, limited

MODEL = "gemini-3.5-flash-lite"
SETTINGS = InfluencerSettings(
    insights_enabled=True, insights_acknowledged=True, insights_batch_tasks=3, insights_model=MODEL
)
_ACCOUNT = re.compile(r"BEGIN ACCOUNT ([0-9a-f]{32})\n(.*)\nEND ACCOUNT \1")


def jpeg(colour: str = "red", size: tuple[int, int] = (900, 700)) -> bytes:
    written = BytesIO()
    Image.new("RGB", size, colour).save(written, "JPEG")
    return written.getvalue()


def found(data: bytes) -> Result[Picture]:
    return Result(Finding.FOUND, Picture(data, "image/jpeg", ""))


def add_blog(
    database: Database, username: str, *, posts: int = 3, bio: str = "mom of two", **more: Any
) -> UUID:
    """A scraped blog with its posts and a waiting task; its posts have the codes ``<username>-0`` and so on."""
    columns: dict[str, Any] = {
        "username": username,
        "full_name": username.title(),
        "biography": bio,
        "follower_count": 5_000,
        "scrape_status": "analyzing",
        "avatar_url": f"https://a.cdninstagram.com/{username}.jpg?sig=1",
        **more,
    }
    names = ", ".join(columns)
    values = ", ".join(f"%({name})s" for name in columns)
    with database.connection() as connection:
        [person] = connection.execute("insert into persons (full_name) values ('x') returning id").fetchone()
        [blog] = connection.execute(
            f"insert into blogs (person_id, {names}) values (%(person)s, {values}) returning id",
            columns | {"person": person},
        ).fetchone()
        for nth in range(posts):
            connection.execute(
                "insert into blog_posts (blog_id, platform_id, code, caption_text, hashtags, media_type, like_count, "
                "comment_count, thumbnail_url, taken_at) values (%s, %s, %s, %s, %s, 'photo', 100, 5, %s, "
                "now() - %s * interval '1 day')",
                [
                    blog,
                    nth + 1,
                    f"{username}-{nth}",
                    f"caption {nth} of {username}: our cat sleeps",
                    ["cats"],
                    f"https://p.cdninstagram.com/{username}/{nth}.jpg?sig=1",
                    nth,
                ],
            )
        connection.execute(
            "insert into blog_highlights (blog_id, platform_id, title) values (%s, 1, 'Travel')", [blog]
        )
    want_insights(database, blog)
    return UUID(str(blog))


def want_insights(database: Database, blog: UUID) -> None:
    with database.connection() as connection:
        STORE.create(connection, [NewTask(TaskType.AI_ANALYSIS, str(blog), Priority.ANALYSIS)])


def description(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A good answer about the account of a question."""
    codes = [post["code"] for post in facts.get("posts", [])] or ["bio"]
    return wire_answer(
        facts["key"],
        {
            "life_situation": {"has_children": True},
            "lifestyle": {"has_pets": True, "pet_types": ["cat", "dragon"]},
            "content": {"primary_topic": "Pets", "secondary_topics": ["семья", "Underwater basketry"]},
            "confidence": 0.7,
        },
        {
            "life_situation.has_children": ["bio"],
            "lifestyle.has_pets": codes[:1],
            "lifestyle.pet_types": [codes[:1], []],
            "content.primary_topic": codes,
            "content.secondary_topics": [["bio"], codes[:1]],
        },
        {"life_situation.has_children": "mom of two"},
    )


class Answers:
    """The sample of these tests. By username: `odd` has words of the stand-in, `texts` the next answers."""

    def __init__(self) -> None:
        self.odd: dict[str, str] = {}
        self.texts: dict[str, list[str]] = {}
        self.asked: list[str] = []

    def subject(self, request: Mapping[str, Any]) -> GeminiSubject | None:
        facts = account_of(request)
        if facts is None:
            return None
        return GeminiSubject(facts["username"], self.odd.get(facts["username"], ""))

    def answer(self, subject: str, behaviour: str, request: Mapping[str, Any]) -> GeminiAnswer:
        facts = account_of(request)
        assert facts is not None
        self.asked.append(subject)
        left = self.texts.get(subject)
        return GeminiAnswer(left.pop(0) if left else json.dumps(description(facts)))


def account_of(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The facts in the question of a request."""
    matched = _ACCOUNT.search("\n".join(texts_of(request.get("contents"))))
    return json.loads(matched[2]) if matched else None


class World:
    """Everything that a run needs: a database, Gemini and its stand-in, Instagram and a bucket."""

    def __init__(self, database: ClonedDatabase, gemini: Any, standin: Any, answers: Answers) -> None:
        self.database, self.gemini, self.standin, self.answers = database, gemini, standin, answers
        self.settings = SETTINGS
        self.store = FakeObjectStore()
        self.pictures: dict[str, Any] = {}

    def submission(self, **more: Any) -> Submission:
        values: dict[str, Any] = {
            "database": self.database,
            "gemini": self.gemini,
            "session": FakeInstagram(pictures=self.pictures).session("influencers"),
            "store": self.store,
            "settings": self.settings,
            "run_id": "run-1",
            "deadline": datetime.now(UTC) + timedelta(minutes=5),
        }
        return Submission(**values | more)

    def collection(self, **more: Any) -> Collection:
        values: dict[str, Any] = {
            "database": self.database,
            "gemini": self.gemini,
            "settings": self.settings,
            "run_id": "run-2",
            "deadline": datetime.now(UTC) + timedelta(minutes=5),
        }
        return Collection(**values | more)

    def submit(self, **more: Any) -> Submission:
        run = self.submission(**more)
        run.run()
        return run

    def collect(self, times: int = 2, **how: Any) -> Collection:
        """Look as often as the stand-in needs until a batch has ended."""
        for _ in range(times):
            run = self.collection()
            run.run(**how)
        return run

    def tasks(self) -> dict[str, tuple[Any, ...]]:
        """Status, outcome and attempts of the newest task of each blog, by username."""
        return {
            row[0]: tuple(row[1:])
            for row in self.rows(
                "select username, status, outcome, attempts from scrape_tasks t join blogs b on b.id = t.blog_id "
                "order by t.id"
            )
        }

    def blog(self, username: str) -> dict[str, Any]:
        [row] = self.rows(
            "select jsonb_build_object('status', scrape_status, 'insights', ai_insights, 'meta', insights_meta, "
            "'confidence', ai_confidence, 'analyzed', ai_analyzed_at) from blogs where username = %s",
            [username],
        )
        return dict(row[0])

    def categories(self, username: str) -> dict[str, bool]:
        return dict(
            self.rows(
                "select c.code, is_primary from blog_categories join categories c on c.id = category_id "
                "join blogs b on b.id = blog_id where username = %s",
                [username],
            )
        )

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self.database.connection() as connection:
            return connection.execute(statement, values or None).fetchall()

    def run_sql(self, statement: str, values: Sequence[Any] = ()) -> None:
        with self.database.connection() as connection:
            connection.execute(statement, values or None)

    def due_now(self) -> None:
        """Waiting times are over."""
        self.run_sql(
            "update scrape_tasks set next_retry_at = null, deferred_until = null, created_at = created_at - "
            "interval '3 hours' where status = 'pending'"
        )


@contextmanager
def world(database: ClonedDatabase, **limits: Any) -> Iterator[World]:
    """With the real client over a real socket."""
    limit(database, limited(**limits))
    answers = Answers()
    with GeminiStandin([answers], latency_ms=0) as standin:
        gemini = GeminiResource(
            assets_db=PostgresResource(url=database.url),
            api_key="any",
            base_url=standin.url,
            model_name=MODEL,
        )
        try:
            yield World(database, gemini, standin, answers)
        finally:
            gemini.teardown_after_execution(None)  # type: ignore[arg-type]


def with_fake(database: ClonedDatabase, gemini: GeminiBatches) -> World:
    """With a fake in place of Gemini."""
    return World(database, gemini, None, Answers())


def reply(text: str, finish: str = "STOP") -> dict[str, Any]:
    """The raw body of a reply."""
    content = {"parts": [{"text": text}], "role": "model"}
    return {"candidates": [{"content": content, "finishReason": finish}], "modelVersion": MODEL}
