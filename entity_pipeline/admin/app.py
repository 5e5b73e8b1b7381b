"""The web application: one seam where pages, API, access and headers come together.

Surprising: handlers are plain functions, which FastAPI runs in threads, because psycopg here is synchronous.
"""

from fastapi import FastAPI

from entity_pipeline.admin import api, pages, sessions
from entity_pipeline.admin.access import Access, Tries
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.desk import Desk
from entity_pipeline.admin.guard import Guard
from entity_pipeline.admin.metrics import add_metrics
from entity_pipeline.admin.problems import answer_problems
from entity_pipeline.domains.entities.page import suggestions


def create_app(desk: Desk, configuration: AdminConfiguration, *, tries: Tries | None = None) -> FastAPI:
    """The application on `desk`; nothing connects before the first request.

    `app.state` holds `desk`, `access` and `configuration` for handlers.
    """
    app = FastAPI(
        title="entity_pipeline",
        version="1",
        description="What the pipeline does, waits for and costs. The figures are those of the administration page.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.desk = desk
    app.state.access = Access(configuration, tries)
    app.state.configuration = configuration
    answer_problems(app)
    app.include_router(sessions.router)
    app.include_router(suggestions.router)
    app.include_router(pages.router(desk), include_in_schema=False)
    app.include_router(api.router)
    pages.add_to(app)
    app.add_middleware(Guard, hosts=configuration.hosts, picture_origin=configuration.picture_origin)
    add_metrics(app, desk)
    return app
