"""The backlogs of all domains, read so that a fault in one domain does not affect the others."""

import logging
from collections.abc import Sequence

from entity_pipeline.admin.page import Backlog, Page
from entity_pipeline.core.failures import PipelineFailure, TransientFailure

_log = logging.getLogger(__name__)


def backlog_of(page: Page) -> Backlog | None:
    """The backlog; None when it can't be counted."""
    try:
        return page.backlog()
    except PipelineFailure:
        return None
    except Exception as error:  # noqa: BLE001  a fault in one domain must not take the others with it
        _log.error("The backlog of %s failed", page.path, exc_info=error)
        return None


def searches(pages: Sequence[Page]) -> int:
    """Requests with a web search that all backlogs need. Raises `PipelineFailure` when one can't be counted."""
    found = [backlog_of(page) for page in pages]
    known = [backlog.searches for backlog in found if backlog is not None]
    if len(known) < len(found):
        raise TransientFailure("A backlog can't be counted.")
    return sum(known)
