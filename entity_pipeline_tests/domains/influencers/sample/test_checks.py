"""The demo's checks accept the expected end and no other."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from entity_pipeline.domains.influencers.sample.checks import problems_of
from entity_pipeline.domains.influencers.sample.expected import (
    ExpectedBlog,
    expected_blogs,
    expected_discoveries,
    expected_questions,
)
from entity_pipeline.domains.influencers.sample.figures import Figures
from entity_pipeline.domains.influencers.sample.truth import beginning

DAY = datetime(2026, 11, 30, tzinfo=UTC)
PLAIN = "dalbit.bakery.madeup"


def _row(blog: ExpectedBlog) -> dict[str, Any]:
    insights: dict[str, Any] | None = None
    if blog.statements is not None:
        insights = {}
        for path, value in blog.statements.items():
            group, name = path.split(".")
            insights.setdefault(group, {})[name] = value
    ended = {"refused": "refused", "unreadable": "unreadable_answer"}.get(blog.insights)
    return {
        "username": blog.username,
        "scrape_status": blog.status,
        "scrape_outcome": blog.outcome,
        "insights_outcome": ended,
        "ai_insights": insights,
        "insights_meta": {"evidence": {path: ["code"] for path in blog.statements or ()}},
        "invented": 0,
        "without_plays": 0,
        "category": blog.category,
        "er_trend": blog.er_trend,
        **{name: getattr(blog, name) for name in ("posts", "hidden", "highlights")},
        **{name: getattr(blog, name) for name in ("er", "er_reels", "posts_per_week")},
    }


def _figures() -> Figures:
    states = expected_questions()
    ledger = {
        f"{state}{nth}": (state, Decimal("0.002") if state != "failed" else Decimal(0))
        for state, count in states.items()
        for nth in range(count)
    }
    billed = {
        id_: cost / 2 if state == "unknown" else cost
        for id_, (state, cost) in ledger.items()
        if state != "failed"
    }
    return Figures(
        blogs={name: _row(blog) for name, blog in expected_blogs(DAY).items()},
        tasks=Counter(),
        discoveries=expected_discoveries(),
        requests=445,
        logged=445,
        billed=billed,
        ledger=ledger,
    )


def test_the_expected_end_has_no_problem() -> None:
    assert list(problems_of(_figures(), DAY)) == []


def test_other_blogs_of_a_person_do_not_matter() -> None:
    figures = _figures()
    figures.blogs["a.persons.own"] = {"scrape_status": "failed"}  # type: ignore[index]
    assert list(problems_of(figures, DAY)) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("scrape_status", "deleted"),
        ("scrape_outcome", "private"),
        ("insights_outcome", "refused"),
        ("posts", 19),
        ("hidden", 1),
        ("highlights", 6),
        ("invented", 1),
        ("without_plays", 1),
        ("er", 4.02),
        ("er", None),
        ("er_reels", 3.9),
        ("er_trend", "growing"),
        ("posts_per_week", 2.3),
        ("category", "travel"),
        ("ai_insights", None),
        ("ai_insights", {"lifestyle": {"has_car": True}}),
        ("insights_meta", {"evidence": {}}),
    ],
)
def test_a_blog_that_differs_anywhere_is_named(column: str, value: Any) -> None:
    figures = _figures()
    figures.blogs[PLAIN][column] = value  # type: ignore[index]
    problems = list(problems_of(figures, DAY))
    assert problems
    assert all(problem.startswith(f"{PLAIN}: ") for problem in problems)


def test_a_missing_blog_is_named() -> None:
    figures = _figures()
    del figures.blogs[PLAIN]  # type: ignore[attr-defined]
    assert list(problems_of(figures, DAY)) == [f"{PLAIN}: there is no blog of this name"]


def _another_discovery(figures: Figures) -> Figures:
    [first, *_] = figures.discoveries
    return replace(figures, discoveries={**figures.discoveries, first: {"posts": 1}})


def _booked(figures: Figures, id_: str, row: tuple[str, Decimal]) -> Figures:
    return replace(figures, ledger={**figures.ledger, id_: row})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_another_discovery, "but should be"),
        (lambda figures: replace(figures, requests=446), "the log of requests has 445"),
        (
            lambda figures: _booked(figures, "settled0", ("settled", Decimal("0.002001"))),
            "the stand-in billed",
        ),
        (lambda figures: _booked(figures, "unknown0", ("unknown", Decimal("0.0001"))), "whose lost answer"),
        (lambda figures: _booked(figures, "settled58", ("settled", Decimal(0))), "the ledger's rows are"),
    ],
)
def test_a_figure_that_differs_is_named(change: Callable[[Figures], Figures], words: str) -> None:
    [problem] = problems_of(change(_figures()), DAY)
    assert words in problem


def test_every_blog_that_the_pipeline_hears_of_is_checked() -> None:
    former = {one.former for one in beginning("stored") if one.former and one.instagram}
    heard_of = {
        one.username for one in beginning("hand", "tag", "stored") if not (one.former and one.instagram)
    }
    assert expected_blogs(DAY).keys() == heard_of | former
