"""`InfluencersPage`: the influencers' part of the administration page, and the entry point for the shell."""

from collections.abc import Sequence

from fastapi import APIRouter

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import MetricsPart
from entity_pipeline.admin.page import Backlog, Page
from entity_pipeline.admin.parts import PagePart
from entity_pipeline.domains.influencers.page import api, routes
from entity_pipeline.domains.influencers.page.addresses import PAGE_PATH
from entity_pipeline.domains.influencers.page.figures import InfluencerFigures
from entity_pipeline.domains.influencers.page.metrics import tasks_part
from entity_pipeline.domains.influencers.page.parts import influencer_parts


class InfluencersPage(Page):
    """The page of one installation; `figures` is for its handlers."""

    path = PAGE_PATH
    package = "entity_pipeline.domains.influencers.page"

    def __init__(self, installation: Installation) -> None:
        self.figures = InfluencerFigures(installation)
        self._at = installation

    def parts(self) -> Sequence[PagePart]:
        """The parts: scheduler, tasks by state, money, budget, blogs, tasks."""
        return influencer_parts(self.figures)

    def backlog(self) -> Backlog:
        """Tasks that wait."""
        return self.figures.backlog()

    def routes(self) -> APIRouter:
        """Routes of a blog and of what people ask for."""
        return routes.router

    def api(self) -> APIRouter:
        """API routes of the figures."""
        return api.router

    def metrics(self) -> Sequence[MetricsPart]:
        """Metrics: tasks by type and state, blogs by state, open batches."""
        return (tasks_part(self._at),)
