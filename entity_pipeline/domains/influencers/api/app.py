"""The application: alone with `create_app`, or as routes of the administration page's server with `own_api`."""

from collections.abc import Mapping

from fastapi import APIRouter, FastAPI

from entity_pipeline.admin.access import Tries
from entity_pipeline.admin.guard import Guard
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.own_api import OwnApi
from entity_pipeline.admin.paths import API_PATH
from entity_pipeline.admin.problems import answer_problems
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.api.access import ApiSettings, api_settings
from entity_pipeline.domains.influencers.api.routes import (
    LARGEST_SCRAPE_BYTES,
    SCRAPE_PATH,
    AccountPool,
    ScraperApi,
)
from entity_pipeline.shared.instagram_pool import pool_states

# Where the callers know it from, and where the other domains have theirs.
PREFIXES = ("/api", f"{API_PATH}/{KEY}")
_LARGEST_BODIES: Mapping[str, int] = {f"{prefix}{SCRAPE_PATH}": LARGEST_SCRAPE_BYTES for prefix in PREFIXES}


class StoredPool:
    """The pool as the database has it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self) -> dict[str, int]:
        """How many accounts are in each state."""
        with self._database.connection() as connection:
            return pool_states(connection)


def create_app(
    db: Database, pool: AccountPool, settings: ApiSettings, *, tries: Tries | None = None
) -> FastAPI:
    """The API alone; nothing connects before the first request."""
    app = FastAPI(
        title="influencers",
        version="1",
        description="Tasks of the influencers: who is to be scraped, and which hashtags are to be looked through.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    answer_problems(app, lambda _, problem: problem.as_json())
    app.include_router(_router(db, pool, settings, tries))
    app.add_middleware(Guard, hosts=settings.hosts, largest_bodies=_LARGEST_BODIES)
    return app


def own_api(installation: Installation) -> OwnApi:
    """The same routes for the administration page's server, with the key of the environment."""
    database = installation.assets_db
    return OwnApi(_router(database, StoredPool(database), api_settings(), None), _LARGEST_BODIES)


def _router(db: Database, pool: AccountPool, settings: ApiSettings, tries: Tries | None) -> APIRouter:
    api, router = ScraperApi(db, pool, settings, tries), APIRouter()
    for prefix in PREFIXES:
        router.include_router(api.router(prefix))
    return router
