"""Insights against labels, by tables."""

import json
from typing import Any

import pytest

from entity_pipeline.domains.influencers.insights.logic.evaluation import (
    DescribedBlog,
    InsightFigures,
    LabelledBlog,
    measure,
    read_labels,
)


def figures(
    labels: dict[str, Any],
    insights: dict[str, Any],
    evidence: dict[str, Any] | None = None,
    posts: dict[str, set[str]] | None = None,
) -> InsightFigures:
    shown = {path: frozenset(marks) for path, marks in (posts or {}).items()}
    label = LabelledBlog("anna", labels, shown)
    return measure([label], {"anna": DescribedBlog(insights, evidence or {})})


@pytest.mark.parametrize(
    ("truth", "value", "precision", "coverage"),
    [
        (True, True, (1, 1), (1, 1)),
        (True, False, (0, 1), (0, 1)),
        (False, False, (1, 1), (1, 1)),
        (True, None, (0, 0), (0, 1)),
        (None, True, (0, 1), (0, 0)),
        (None, None, (0, 0), (0, 0)),
    ],
)
def test_a_single_value_is_right_wrong_or_missing(
    truth: Any, value: Any, precision: tuple[int, int], coverage: tuple[int, int]
) -> None:
    [row] = figures({"lifestyle.has_pets": truth}, {"lifestyle": {"has_pets": value}}).fields
    assert (row.precision.right, row.precision.total) == precision
    assert (row.coverage.right, row.coverage.total) == coverage


def test_a_list_counts_by_member_in_any_spelling() -> None:
    labels = {"lifestyle.pet_types": ["Cat", "guinea-pig"]}
    [row] = figures(labels, {"lifestyle": {"pet_types": ["guinea pig", "dog", "CAT"]}}).fields
    assert (row.precision.right, row.precision.total) == (2, 3)
    assert (row.coverage.right, row.coverage.total) == (2, 2)


@pytest.mark.parametrize(
    ("evidence", "right"),
    [
        (["C1"], 1),
        (["C1", "bio"], 1),
        (["C1", "C9"], 0),
        ([], 0),
        (None, 0),
        ("C1", 0),
    ],
)
def test_evidence_counts_where_it_is_labelled_and_the_value_is_right(evidence: Any, right: int) -> None:
    path = "lifestyle.has_pets"
    found = figures({path: True}, {"lifestyle": {"has_pets": True}}, {path: evidence}, {path: {"C1", "bio"}})
    [row] = found.fields
    assert (row.evidence.right, row.evidence.total) == (right, 1)
    assert len(found.wrong_evidence) == 1 - right
    wrong = figures({path: False}, {"lifestyle": {"has_pets": True}}, {path: ["C9"]}, {path: {"C1"}})
    assert wrong.fields[0].evidence.total == 0


def test_the_evidence_of_a_list_is_that_of_each_member() -> None:
    path = "lifestyle.pet_types"
    evidence = {path: {"cat": ["C1"], "dog": ["C9"]}}
    found = figures(
        {path: ["cat", "dog"]}, {"lifestyle": {"pet_types": ["cat", "dog"]}}, evidence, {path: {"C1"}}
    )
    assert (found.fields[0].evidence.right, found.fields[0].evidence.total) == (1, 2)
    assert found.wrong_evidence == [("anna", path, ("C9",))]


def test_a_blog_without_insights_counts_only_as_labelled() -> None:
    found = measure([LabelledBlog("anna", {"lifestyle.has_pets": True}, {})], {})
    assert (found.labelled, found.described, found.fields) == (1, 0, [])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[", "it is not JSON"),
        ("[" * 500, "it is not JSON"),
        ("[]", "it has no valid username"),
        ({"username": "no handle!"}, "it has no valid username"),
        ({"username": "a", "labels": {"x.y": 1}}, "it labels unknown fields (x.y)"),
        ({"username": "a", "posts": {"lifestyle": []}}, "it labels unknown fields (lifestyle)"),
        (
            {"username": "a", "labels": {"lifestyle.has_pets": "yes"}},
            'of lifestyle.has_pets is not possible: "yes"',
        ),
        (
            {"username": "a", "labels": {"lifestyle.pet_types": None}},
            "of lifestyle.pet_types is not possible: null",
        ),
        ({"username": "a", "labels": {"lifestyle.car_class": "cheap"}}, "is not possible"),
        ({"username": "a", "posts": {"lifestyle.has_pets": "C1"}}, "the posts of lifestyle.has_pets"),
    ],
)
def test_a_bad_line_is_named(line: Any, problem: str) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    blogs, problems = read_labels(["", '{"username": "@Good", "labels": {}}', text])
    assert [one.username for one in blogs] == ["good"]
    assert len(problems) == 1
    assert problems[0].startswith("line 3: ")
    assert problem in problems[0]


def test_a_name_may_stand_once() -> None:
    _, problems = read_labels(['{"username": "a"}', '{"username": "A"}'])
    assert problems == ["line 2: 'a' is in the file already"]
