"""The web application, which joins the pages and API of the shell and the domains, access and headers.

Handlers are plain functions, which FastAPI runs in threads, because psycopg here is synchronous.
"""

from collections.abc import Sequence
from importlib.resources import files

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from entity_pipeline.admin import api, domain_pages, home, sessions, settings_api, settings_pages
from entity_pipeline.admin.access import Access, Tries
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.figures import Figures
from entity_pipeline.admin.guard import Guard
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.endpoint import add_metrics
from entity_pipeline.admin.own_api import OwnApi
from entity_pipeline.admin.paths import API_PATH, STATIC_PATH
from entity_pipeline.admin.problem_pages import problem_page
from entity_pipeline.admin.problems import answer_problems
from entity_pipeline.admin.rendering import environment
from entity_pipeline.admin.shell import MountedPage, Shell
from entity_pipeline.admin.texts import SHELL
from entity_pipeline.core.domain import Domain


def create_app(
    domains: Sequence[Domain],
    installation: Installation,
    configuration: AdminConfiguration,
    *,
    tries: Tries | None = None,
) -> FastAPI:
    """The application of the domains that have a page; nothing connects before the first request.

    `app.state` holds `shell` and `access` for handlers.
    """
    app = FastAPI(
        title="entity_pipeline",
        version="1",
        description="The figures of the administration page: what the pipeline does, waits for and costs.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API_PATH}/openapi.json",
    )
    shell = shell_for(domains, installation, configuration)
    app.state.shell = shell
    app.state.access = Access(configuration, tries)
    answer_problems(app, problem_page)
    app.include_router(sessions.router)
    app.include_router(home.router, include_in_schema=False)
    app.include_router(settings_pages.router, include_in_schema=False)
    app.include_router(api.router)
    largest_bodies: dict[str, int] = {}
    for domain in domains:
        if domain.own_api is not None:
            own: OwnApi = domain.own_api()(installation)
            app.include_router(own.router)
            largest_bodies |= own.largest_bodies
    app.include_router(settings_api.router)
    for mounted in shell.pages:
        app.include_router(domain_pages.pages_of(mounted), include_in_schema=False)
        app.include_router(domain_pages.api_of(mounted))
    app.mount(STATIC_PATH, StaticFiles(directory=str(files(SHELL) / "static")), "static")
    app.add_middleware(
        Guard,
        hosts=configuration.hosts,
        picture_origin=configuration.picture_origin,
        largest_bodies=largest_bodies,
    )
    add_metrics(app, shell)
    return app


def shell_for(
    domains: Sequence[Domain], installation: Installation, configuration: AdminConfiguration
) -> Shell:
    """The shell with the pages of the domains that have one."""
    pages = [
        MountedPage(domain, domain.page()(installation)) for domain in domains if domain.page is not None
    ]
    return Shell(
        domains=domains,
        installation=installation,
        configuration=configuration,
        figures=Figures(installation, [mounted.page for mounted in pages]),
        pages=pages,
        templates=environment({mounted.key: mounted.page.package for mounted in pages}),
    )
