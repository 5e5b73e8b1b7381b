"""The figures of the influencers' page for programs, under `/api/v1/influencers`.

The list of tasks and asking for work do not belong here: they are in the API of the queue (`api/`).
"""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query

from entity_pipeline.admin.api import problem
from entity_pipeline.admin.domain_instagram import BudgetFigures
from entity_pipeline.admin.domain_money import MoneyFigures
from entity_pipeline.domains.influencers.page.blog_values import BlogFigures
from entity_pipeline.domains.influencers.page.list_values import (
    BlogCounts,
    BlogPage,
    BlogQuery,
    TaskFigures,
)
from entity_pipeline.domains.influencers.page.mounted import TheFigures
from entity_pipeline.domains.influencers.page.scheduler import SchedulerFigures

router = APIRouter()


@router.get("/scheduler")
def scheduler(figures: TheFigures) -> SchedulerFigures:
    """The switch, what waits, ticks and runs."""
    return figures.scheduler()


@router.get("/counts/tasks")
def task_counts(figures: TheFigures) -> TaskFigures:
    """Tasks by type and state, and since when the oldest due ones wait."""
    return figures.tasks()


@router.get("/batches")
def batches(figures: TheFigures) -> MoneyFigures:
    """The cost of the domain, and its newest batches."""
    return figures.money()


@router.get("/budget")
def budget(figures: TheFigures) -> BudgetFigures:
    """Requests to Instagram in the last 24 hours."""
    return figures.budget()


@router.get("/blogs")
def blogs(figures: TheFigures, query: Annotated[BlogQuery, Query()]) -> BlogPage:
    """One page of blogs."""
    return figures.blog_page(query)


@router.get("/counts/blogs")
def blog_counts(figures: TheFigures) -> BlogCounts:
    """Blogs by state, category and source."""
    return figures.blog_counts()


@router.get("/blogs/{username}", responses={404: problem("There is no blog with this username.")})
def blog(figures: TheFigures, username: Annotated[str, Path(min_length=1, max_length=200)]) -> BlogFigures:
    """Everything that is known about one blog."""
    found = figures.blog(username)
    if found is None:
        raise HTTPException(404, "There is no blog with this username.")
    return found
