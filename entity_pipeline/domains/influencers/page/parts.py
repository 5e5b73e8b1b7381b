"""The parts of the influencers' page: scheduler, tasks by state, budget, batches with money, and two lists."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from entity_pipeline.admin.cursors import UnknownCursor
from entity_pipeline.admin.parts import PagePart
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.domains.influencers.models import ScrapeStatus, TaskType
from entity_pipeline.domains.influencers.page.figures import InfluencerFigures
from entity_pipeline.domains.influencers.page.list_forms import ListForm, blog_form, task_form
from entity_pipeline.domains.influencers.page.list_values import (
    NONE,
    BlogCounts,
    BlogPage,
    BlogQuery,
    BlogSort,
    TaskFigures,
    TaskPage,
    TaskQuery,
)
from entity_pipeline.shared.tasks.rules import TaskStatus


@dataclass(frozen=True, slots=True)
class BlogsShown:
    """The form around the list of blogs, and its counts; None while they can't be read."""

    form: ListForm[BlogQuery]
    counts: BlogCounts | None
    categories: Mapping[str, str]
    statuses: Sequence[str] = (*ScrapeStatus,)
    sorts: Sequence[str] = (*BlogSort,)
    no_category: str = NONE


@dataclass(frozen=True, slots=True)
class ResultsShown:
    """One page of blogs; None for a page that no longer exists. `is_empty`: an empty page is the whole list."""

    form: ListForm[BlogQuery]
    page: BlogPage | None
    categories: Mapping[str, str]
    is_empty: bool


@dataclass(frozen=True, slots=True)
class TasksShown:
    """The form around the list of tasks and its page."""

    form: ListForm[TaskQuery]
    page: TaskPage
    statuses: Sequence[str] = (*TaskStatus,)
    types: Sequence[str] = (*TaskType,)


@dataclass(frozen=True, slots=True)
class WorkShown:
    """The tasks by type and state."""

    figures: TaskFigures
    statuses: Sequence[str] = (*TaskStatus,)


def influencer_parts(figures: InfluencerFigures) -> Sequence[PagePart]:
    """The parts, in order."""
    facets = _part("facets", lambda query: _blogs(figures, query), title="filters")
    results = _part("results", lambda query: _results(figures, query), title="blogs", refresh_s=None)
    return (
        _part("scheduler", lambda _: figures.scheduler(), refresh_s=15),
        _part("work", lambda _: WorkShown(figures.tasks()), refresh_s=15),
        _part("budget", lambda _: figures.budget()),
        _part("money", lambda _: figures.money()),
        _part(
            "blogs",
            lambda query: _blogs(figures, query),
            template="list.html",
            refresh_s=None,
            is_wide=True,
            inner=(facets, results),
        ),
        _part("tasks", lambda query: _tasks(figures, query), refresh_s=None, is_wide=True),
    )


def _part(key: str, read: Callable[[Mapping[str, str]], Any], **other: Any) -> PagePart:
    usual: dict[str, Any] = {"title": key, "template": f"influencers/{key}.html"}
    return PagePart(key=key, read=read, **usual | other)


def _blogs(figures: InfluencerFigures, query: Mapping[str, str]) -> BlogsShown:
    return BlogsShown(blog_form(query), _counts(figures), figures.categories())


def _counts(figures: InfluencerFigures) -> BlogCounts | None:
    with suppress(PipelineFailure):
        return figures.blog_counts()
    return None


def _results(figures: InfluencerFigures, query: Mapping[str, str]) -> ResultsShown:
    form = blog_form(query)
    try:
        page = figures.blog_page(form.query)
    except UnknownCursor:
        page = None
    return ResultsShown(form, page, figures.categories(), is_empty=not form.is_filtered and form.is_first)


def _tasks(figures: InfluencerFigures, query: Mapping[str, str]) -> TasksShown:
    form = task_form(query)
    return TasksShown(form, figures.task_page(form.query))
