"""How a handler finds the influencers' figures of its server."""

from typing import Annotated

from fastapi import Depends, Request

from entity_pipeline.admin.shell import shell_of
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.page.figures import InfluencerFigures


def figures_of(request: Request) -> InfluencerFigures:
    """A dependency: the figures of the mounted page."""
    figures: InfluencerFigures = shell_of(request).page(KEY).page.figures  # type: ignore[attr-defined]
    return figures


TheFigures = Annotated[InfluencerFigures, Depends(figures_of)]
