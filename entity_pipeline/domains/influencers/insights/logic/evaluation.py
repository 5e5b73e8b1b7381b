"""Stored insights measured against labelled blogs: precision, coverage and evidence, field by field. Pure.

A file has a JSON object per line: `username`, `labels` with true values by path (``lifestyle.has_pets``), null or an
empty list where a description should say nothing, and optionally `posts` with the posts that show a value. One bad line
rejects the whole file, because a guessed label would look like an error of the model.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from entity_pipeline.core.jsonb import json_object, json_text, read_json
from entity_pipeline.core.proportions import Share
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.influencers.insights.logic.ai_insights import GROUPS, is_list, said
from entity_pipeline.domains.influencers.insights.logic.categories import normalised


@dataclass(frozen=True, slots=True)
class LabelledBlog:
    """The true values of one blog by path, and the marks that show them."""

    username: str
    labels: Mapping[str, Any]
    posts: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class DescribedBlog:
    """Stored insights with their evidence by path."""

    insights: Mapping[str, Any]
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldFigures:
    """One field over all labelled and described blogs. A list counts by member.

    `precision`: of what was said, how much is right. `coverage`: of what is true, how much was said. `evidence`: of the
    right statements whose posts are labelled, how many name only posts that show it.
    """

    path: str
    blogs: int
    precision: Share
    coverage: Share
    evidence: Share


@dataclass(frozen=True, slots=True)
class InsightFigures:
    """All fields with a label. `wrong_evidence` has (username, path, posts) of statements that name other posts."""

    labelled: int
    described: int
    fields: Sequence[FieldFigures]
    wrong_evidence: Sequence[tuple[str, str, tuple[str, ...]]]


@dataclass
class _Count:
    blogs: int = 0
    said: int = 0
    right: int = 0
    true: int = 0
    found: int = 0
    shown: int = 0
    shown_right: int = 0


@dataclass
class _Counts:
    by_path: dict[str, _Count] = field(default_factory=dict)
    wrong: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)


def paths() -> list[str]:
    """Every field that may be labelled."""
    return [f"{group}.{name}" for group, model in GROUPS.items() for name in model.model_fields]


def read_labels(lines: Iterable[str]) -> tuple[list[LabelledBlog], list[str]]:
    """The blogs of a file, and what is wrong with it, in sentences with the number of the line."""
    blogs: dict[str, LabelledBlog] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _blog(line)
        if isinstance(found, str):
            problems.append(f"line {number}: {found}")
        elif found.username in blogs:
            problems.append(f"line {number}: '{found.username}' is in the file already")
        else:
            blogs[found.username] = found
    return list(blogs.values()), problems


def measure(labelled: Sequence[LabelledBlog], described: Mapping[str, DescribedBlog]) -> InsightFigures:
    """The figures; a blog without insights counts only in `labelled`."""
    counts = _Counts()
    pairs = [(one, described[one.username]) for one in labelled if one.username in described]
    for label, description in pairs:
        values = said(description.insights)
        for path, truth in label.labels.items():
            _judge(counts, label, path, truth, values.get(path), description.evidence.get(path))
    rows = [
        FieldFigures(
            path,
            one.blogs,
            Share(one.right, one.said),
            Share(one.found, one.true),
            Share(one.shown_right, one.shown),
        )
        for path in paths()
        if (one := counts.by_path.get(path)) is not None
    ]
    return InsightFigures(len(labelled), len(pairs), rows, counts.wrong)


def _judge(counts: _Counts, label: LabelledBlog, path: str, truth: Any, value: Any, evidence: Any) -> None:
    count = counts.by_path.setdefault(path, _Count())
    count.blogs += 1
    true, stated = _members(truth), _members(value)
    right = true.keys() & stated.keys()
    count.true, count.found = count.true + len(true), count.found + len(right)
    count.said, count.right = count.said + len(stated), count.right + len(right)
    if path not in label.posts:
        return
    for key in right:
        named = tuple(_marks(evidence, stated[key]))
        count.shown += 1
        if named and label.posts[path].issuperset(named):
            count.shown_right += 1
        else:
            counts.wrong.append((label.username, path, named))


def _members(value: Any) -> dict[Any, Any]:
    """The values that are compared, with each as it was written. A single value is a list of one."""
    if value is None:
        return {}
    values = value if isinstance(value, list) else [value]
    return {normalised(one) if isinstance(one, str) else one: one for one in values}


def _marks(evidence: Any, member: Any) -> list[str]:
    found = json_object(evidence).get(member) if isinstance(evidence, Mapping) else evidence
    return [mark for mark in found if isinstance(mark, str)] if isinstance(found, list) else []


def _blog(line: str) -> LabelledBlog | str:
    try:
        fields = json_object(read_json(line))
    except ValueError:
        return "it is not JSON"
    handle = handle_or_none(json_text(fields.get("username")) or "")
    if handle is None:
        return "it has no valid username"
    labels, posts = json_object(fields.get("labels")), json_object(fields.get("posts"))
    if unknown := sorted({*labels, *posts} - set(paths())):
        return f"it labels unknown fields ({', '.join(unknown)[:200]})"
    if wrong := [path for path, value in labels.items() if not _is_possible(path, value)]:
        return f"the value of {wrong[0]} is not possible: {json.dumps(labels[wrong[0]], ensure_ascii=False)[:60]}"
    if bad := [path for path, marks in posts.items() if not _are_texts(marks)]:
        return f"the posts of {bad[0]} are not a list of codes"
    return LabelledBlog(handle, labels, {path: frozenset(marks) for path, marks in posts.items()})


def _is_possible(path: str, value: Any) -> bool:
    group, _, name = path.partition(".")
    if value is None:
        return not is_list(group, name)
    try:
        GROUPS[group].model_validate({name: value})
    except ValidationError:
        return False
    return True


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
