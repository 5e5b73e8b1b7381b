"""`Page`: a domain's part of the administration page. `Domain.page` returns the function that makes one.

    class ShopsPage(Page):
        path = "/admin/data-pipeline/shops"
        package = "entity_pipeline.domains.shops.page"

        def __init__(self, installation: Installation) -> None: ...
        def parts(self) -> Sequence[PagePart]: ...

The shell frames the parts, serves them under `path`, adds the switch, the settings and the home page's row, and uses
the texts of the package. Parts are drawn in `drawing.py`; metrics are in `metrics/`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import MetricsPart
from entity_pipeline.admin.parts import PagePart


@dataclass(frozen=True, slots=True)
class Backlog:
    """The waiting items of a domain.

    `oldest` is the time since which the oldest item has waited, `searches` the least number of requests with a web
    search that the backlog needs.
    """

    waiting: int
    oldest: datetime | None = None
    searches: int = 0


class Page(Protocol):
    """One domain's page on one installation.

    Attributes:
        path: its address; the domain's own routes are below it.
        package: the package with `texts/{en,ko}.json` and `templates/`. Its templates are named with the domain's
            key: ``"shops/list.html"``. The texts must have ``title``.
        api_prefixes: further addresses of its API beside ``/api/v1/<key>``.
    """

    path: str
    package: str
    api_prefixes: Sequence[str] = ()

    def parts(self) -> Sequence[PagePart]:
        """The sections of the page, in order."""

    def backlog(self) -> Backlog:
        """The current backlog. Raises `PipelineFailure` when it can't be counted."""

    def routes(self) -> APIRouter:
        """Further pages, with paths below `path`."""
        return APIRouter()

    def api(self) -> APIRouter:
        """Its part of the API, with paths below ``/api/v1/<key>``."""
        return APIRouter()

    def metrics(self) -> Sequence[MetricsPart]:
        """Its part of `/metrics`."""
        return ()


PageMaker = Callable[[Installation], Page]
