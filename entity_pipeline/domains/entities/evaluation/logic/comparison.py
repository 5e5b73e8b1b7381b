"""Two evaluations of the same labelled accounts, compared account by account. Pure.

Only accounts that both were asked about, under the same label, count: anything else would compare the samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.proportions import Share
from entity_pipeline.domains.entities.evaluation.logic.figures import TYPES
from entity_pipeline.domains.entities.evaluation.logic.judging import NOT_COVERED
from entity_pipeline.domains.entities.evaluation.logic.statistics import sign_test

Row = Mapping[str, Any]  # one object of `review_evaluations.answers`


@dataclass(frozen=True, slots=True)
class Side:
    """One evaluation's figures over the shared accounts; a share is None if its total is 0."""

    right: float | None
    written: int
    written_right: float | None
    precision: Mapping[str, float | None]
    recall: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences`: (handle, label, first answer, second answer) by handle, if the type or the writing differs."""

    accounts: int
    first: Side
    second: Side
    only_first_right: int
    only_second_right: int
    chance: float
    differences: tuple[tuple[str, str, Row, Row], ...]


def compare(first: Sequence[Row], second: Sequence[Row]) -> Comparison:
    """What changed from the first to the second."""
    others = {row["handle"]: row for row in second if row["outcome"] != NOT_COVERED}
    pairs = [
        (row, others[row["handle"]])
        for row in first
        if row["outcome"] != NOT_COVERED
        and row["handle"] in others
        and others[row["handle"]]["truth"] == row["truth"]
    ]
    only_first = sum(_right(one) and not _right(other) for one, other in pairs)
    only_second = sum(_right(other) and not _right(one) for one, other in pairs)
    return Comparison(
        accounts=len(pairs),
        first=_side([one for one, _ in pairs]),
        second=_side([other for _, other in pairs]),
        only_first_right=only_first,
        only_second_right=only_second,
        chance=sign_test(only_first, only_second),
        differences=tuple(
            (one["handle"], one["truth"], one, other)
            for one, other in sorted(pairs, key=lambda pair: str(pair[0]["handle"]))
            if (one["said"], one["written"]) != (other["said"], other["written"])
        ),
    )


def _side(rows: Sequence[Row]) -> Side:
    written = [row for row in rows if row["written"]]
    kinds = [kind.value for kind in TYPES]
    return Side(
        right=_share_right(rows),
        written=len(written),
        written_right=_share_right(written),
        precision={kind: _share_right([row for row in rows if row["said"] == kind]) for kind in kinds},
        recall={kind: _share_right([row for row in rows if row["truth"] == kind]) for kind in kinds},
    )


def _share_right(rows: Sequence[Row]) -> float | None:
    return Share(sum(_right(row) for row in rows), len(rows)).share


def _right(row: Row) -> bool:
    return bool(row["said"] == row["truth"])
