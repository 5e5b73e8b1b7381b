"""`EntitiesPage`: the entities' part of the administration page, and the entry point for the shell."""

from collections.abc import Sequence

from fastapi import APIRouter

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import MetricsPart
from entity_pipeline.admin.page import Backlog, Page
from entity_pipeline.admin.parts import PagePart
from entity_pipeline.admin.paths import API_PATH
from entity_pipeline.domains.entities.page import api, routes
from entity_pipeline.domains.entities.page.addresses import PAGE_PATH
from entity_pipeline.domains.entities.page.figures import EntityFigures
from entity_pipeline.domains.entities.page.metrics import accounts_part, schedule_part
from entity_pipeline.domains.entities.page.parts import entity_parts


class EntitiesPage(Page):
    """The page of one installation; `figures` is for its handlers."""

    path = PAGE_PATH
    package = "entity_pipeline.domains.entities.page"
    # The API is older than the other domains.
    api_prefixes = (API_PATH,)

    def __init__(self, installation: Installation) -> None:
        self.figures = EntityFigures(installation)
        self._at = installation

    def parts(self) -> Sequence[PagePart]:
        """The parts: scheduler, quota, list of accounts."""
        return entity_parts(self._at, self.figures)

    def backlog(self) -> Backlog:
        """Accounts that wait for a review."""
        return self.figures.backlog()

    def routes(self) -> APIRouter:
        """Routes of an account, its search suggestions and the exports."""
        return routes.router

    def api(self) -> APIRouter:
        """API routes of the scheduler, the list and an account."""
        return api.router

    def metrics(self) -> Sequence[MetricsPart]:
        """Metrics: accounts by state and reason, and the schedule's last decision."""
        return (accounts_part(self._at), schedule_part(self._at))
