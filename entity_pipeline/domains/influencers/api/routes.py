"""The routes of the API, for one server.

Handlers are plain functions, which FastAPI runs in threads, because psycopg here is synchronous. They raise; the
table of `admin/problems.py` answers.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from entity_pipeline.admin.access import Tries
from entity_pipeline.admin.api import problem
from entity_pipeline.admin.cached_reading import CachedReading
from entity_pipeline.core.ports import Database
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.influencers.api.access import BEARER, ApiAccess, ApiSettings
from entity_pipeline.domains.influencers.api.schemas import (
    LARGEST_ID,
    LARGEST_OFFSET,
    MOST_TASKS,
    BlogTask,
    DiscoverAnswer,
    DiscoverRequest,
    Health,
    RejectedName,
    ScrapeAnswer,
    ScrapeRequest,
    TaskPage,
    TaskView,
)
from entity_pipeline.domains.influencers.api.tasks import shown
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.requests import (
    Answer,
    AskedBlog,
    ask_for_blogs,
    ask_for_hashtags,
)
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.instagram_pool import POOL_STATES
from entity_pipeline.shared.tasks.rules import TaskStatus

Responses = dict[int | str, dict[str, Any]]

SOURCE = "api"
# A thousand addresses with their tracking parameters.
LARGEST_SCRAPE_BYTES = 512_000
SCRAPE_PATH = "/tasks/scrape"
# A million tasks take 100 ms to count.
_HEALTH_CACHED_S = 5.0
_LONGEST_ECHO = 100
_OF_ANY: Responses = {
    400: problem("The request can't be read."),
    413: problem("The request is too large."),
    422: problem("A value is not allowed; `problems` says which."),
    503: problem("The database can't be reached, or the server has no key; the sentence says which."),
}
_WITH_KEY = _OF_ANY | {
    401: problem("The key is missing or wrong."),
    429: problem("Too many wrong keys from this address."),
}


class AccountPool(Protocol):
    """The operator's Instagram accounts."""

    def states(self) -> dict[str, int]:
        """How many are in each state."""


class ScraperApi:
    """The handlers over one database and one pool."""

    def __init__(
        self, db: Database, pool: AccountPool, settings: ApiSettings, tries: Tries | None = None
    ) -> None:
        self._db = db
        self._pool = pool
        self._access = ApiAccess(settings, tries)
        self._health = CachedReading(self._read_health, _HEALTH_CACHED_S)

    def router(self, prefix: str) -> APIRouter:
        """All routes below a prefix."""
        router = APIRouter(prefix=prefix, tags=["influencers"])
        router.add_api_route("/health", self.health, methods=["GET"], responses=_OF_ANY)
        routes: Sequence[tuple[str, str, Callable[..., Any], int, Responses]] = (
            ("GET", "/tasks", self.tasks, 200, {}),
            ("GET", "/tasks/{task_id}", self.task, 200, {404: problem("The task does not exist.")}),
            ("POST", SCRAPE_PATH, self.scrape, 202, {}),
            ("POST", "/tasks/discover", self.discover, 202, {}),
        )
        for method, path, handler, status, further in routes:
            router.add_api_route(
                path,
                handler,
                methods=[method],
                status_code=status,
                responses=_WITH_KEY | further,
                dependencies=[Depends(BEARER), Depends(self._access.verify_api_key)],
            )
        return router

    def health(self) -> Health:
        """How the accounts and the tasks stand. Needs no key."""
        return self._health.get()

    def tasks(
        self,
        status: TaskStatus | None = None,
        task_type: TaskType | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_TASKS)] = 50,
        offset: Annotated[int, Query(ge=0, le=LARGEST_OFFSET)] = 0,
        before: Annotated[
            int,
            Query(
                ge=1, le=LARGEST_ID, description="Only tasks with a lower id: the way past the last offset."
            ),
        ] = LARGEST_ID,
    ) -> TaskPage:
        """Tasks, the newest first."""
        with self._db.connection() as connection:
            found = STORE.page(
                connection,
                limit + 1,
                before,
                list(TaskStatus) if status is None else [status],
                None if task_type is None else [task_type],
                offset,
            )
            views = shown(connection, found[:limit])
        return TaskPage(tasks=views, limit=limit, offset=offset, has_more=len(found) > limit)

    def task(self, task_id: Annotated[int, Path(ge=1, le=LARGEST_ID)]) -> TaskView:
        """One task."""
        with self._db.connection() as connection:
            views = shown(connection, STORE.find(connection, [task_id]))
        if not views:
            raise HTTPException(404, "There is no task with this id.")
        return views[0]

    def scrape(self, wanted: ScrapeRequest) -> ScrapeAnswer:
        """Scrape these people. Names that can't be used don't hold up the others."""
        with self._db.connection() as connection:
            answers = ask_for_blogs(connection, wanted.usernames, wanted.priority, SOURCE)
        return _scrape_answer(answers)

    def discover(self, wanted: DiscoverRequest) -> DiscoverAnswer:
        """Look for people by a hashtag."""
        with self._db.connection() as connection:
            answer = ask_for_hashtags(connection, [wanted.hashtag], wanted.priority)[0]
        if answer.hashtag is None or answer.task_id is None:
            raise HTTPException(422, "This is not a hashtag: it has letters, digits and underscores only.")
        return DiscoverAnswer(
            hashtag=answer.hashtag, task_id=answer.task_id, is_new=answer.answer is Answer.MADE
        )

    def _read_health(self) -> Health:
        accounts = self._pool.states()
        with self._db.connection() as connection:
            counts = STORE.counts(connection)
            oldest = STORE.oldest_due(connection)
        return Health(
            accounts={state: accounts.get(state, 0) for state in POOL_STATES},
            tasks={status: sum(one.tasks for one in counts if one.status is status) for status in TaskStatus},
            oldest_pending_at=min(oldest.values(), default=None),
            read_at=datetime.now(UTC),
        )


def _scrape_answer(answers: Sequence[AskedBlog]) -> ScrapeAnswer:
    answer = ScrapeAnswer(created=[], existing=[], rejected=[], erased=[])
    seen: set[str] = set()
    for one in answers:
        if one.username is None:
            reason = one.why.value if one.why is not None else ""
            answer.rejected.append(RejectedName(given=one_line(one.given, _LONGEST_ECHO), reason=reason))
        elif one.username not in seen:
            seen.add(one.username)
            if one.blog_id is None or one.task_id is None:
                answer.erased.append(one.username)
                continue
            task = BlogTask(username=one.username, blog_id=one.blog_id, task_id=one.task_id)
            (answer.created if one.answer is Answer.MADE else answer.existing).append(task)
    return answer
