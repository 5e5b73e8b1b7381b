"""The parts of the entities' page: the scheduler, Gemini's quota, and the list of accounts with its filters."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from entity_pipeline.admin.gemini_part import quota_part
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.parts import PagePart
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline.domains.entities.page.figures import EntityFigures
from entity_pipeline.domains.entities.page.queue_cursor import UnknownCursor
from entity_pipeline.domains.entities.page.queue_form import QueueForm, read_queue_form
from entity_pipeline.domains.entities.page.queue_values import NONE, Counts, QueuePage, QueueSort

CHOICES: Mapping[str, Sequence[str]] = {
    "state": [*AccountState],
    "type": [*AccountType, NONE],
    "role": [*AccountRole, NONE],
}


@dataclass(frozen=True, slots=True)
class ListShown:
    """The form around the list, and its counts; None while they can't be read."""

    form: QueueForm
    counts: Counts | None
    choices: Mapping[str, Sequence[str]]
    sorts: Sequence[str] = (*QueueSort,)


@dataclass(frozen=True, slots=True)
class ResultsShown:
    """One page of the list; None for a page that no longer exists. `total` is None where no count says it."""

    form: QueueForm
    page: QueuePage | None
    total: int | None = None


def entity_parts(at: Installation, figures: EntityFigures) -> Sequence[PagePart]:
    """The parts, in order."""
    facets = PagePart(
        key="facets",
        title="filters",
        template="entities/facets.html",
        read=lambda query: _list(figures, query),
    )
    results = PagePart(
        key="results",
        title="queue",
        template="entities/results.html",
        read=lambda query: _results(figures, query),
        refresh_s=None,
    )
    return (
        PagePart(
            key="scheduler",
            title="scheduler",
            template="entities/scheduler.html",
            read=lambda _: figures.scheduler(),
            refresh_s=15,
        ),
        quota_part(at, lambda: figures.backlog().searches),
        PagePart(
            key="queue",
            title="queue",
            template="list.html",
            read=lambda query: _list(figures, query),
            refresh_s=None,
            is_wide=True,
            inner=(facets, results),
        ),
    )


def _list(figures: EntityFigures, query: Mapping[str, str]) -> ListShown:
    return ListShown(read_queue_form(query), _counts(figures), CHOICES)


def _counts(figures: EntityFigures) -> Counts | None:
    with suppress(PipelineFailure):
        return figures.counts()
    return None


def _results(figures: EntityFigures, query: Mapping[str, str]) -> ResultsShown:
    form = read_queue_form(query)
    try:
        counts = _counts(figures)
        return ResultsShown(form, figures.queue(form.query), form.total(counts))
    except UnknownCursor:
        return ResultsShown(form, None)
