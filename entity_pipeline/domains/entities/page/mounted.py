"""How a handler finds the entities' figures of its server."""

from typing import Annotated

from fastapi import Depends, Request

from entity_pipeline.admin.shell import shell_of
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.page.figures import EntityFigures


def figures_of(request: Request) -> EntityFigures:
    """A dependency: the figures of the mounted page."""
    figures: EntityFigures = shell_of(request).page(KEY).page.figures  # type: ignore[attr-defined]
    return figures


TheFigures = Annotated[EntityFigures, Depends(figures_of)]
