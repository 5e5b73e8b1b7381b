"""`Figures`: the figures that the pages of all domains share, read from one installation.

No figure is computed twice: each comes from the function by which the pipeline itself decides, so that page, API,
command and ledger agree. A domain's own figures belong to its page.
"""

from collections.abc import Sequence

from entity_pipeline.admin.backlogs import searches
from entity_pipeline.admin.cached_reading import CachedReading
from entity_pipeline.admin.gemini_quota import QuotaFigures, read_quota
from entity_pipeline.admin.health import Health, health
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.page import Page

BACKLOG_CACHED_S = 15.0


class Figures:
    """Every method raises `DatabaseUnavailable` or `SchemaMismatch` when a figure can't be read, answered by a 503."""

    def __init__(self, installation: Installation, pages: Sequence[Page]) -> None:
        self._at = installation
        self._searches = CachedReading(lambda: searches(pages), BACKLOG_CACHED_S)

    def health(self) -> Health:
        """The systems that can't be reached. Never raises, and says no more than a stranger may know."""
        return health(self._at)

    def quota(self) -> QuotaFigures:
        """Today's figures of the ledger, 30 days, and the forecast for the backlogs of all domains."""
        return read_quota(self._at, self.searches)

    def searches(self) -> int:
        """Requests with a web search that the backlogs of all domains need; some seconds old."""
        return self._searches.get()
