"""The statistics behind an evaluation beside those of `core/proportions.py`, with their sources. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from entity_pipeline.core.proportions import CERTAINTY_Z


def needed_without_fault(precision: float, z: float = CERTAINTY_Z) -> int | None:
    """How many right cases without an error prove `precision`; None for a precision of 1, which can't be proven."""
    return math.ceil(precision * z * z / (1 - precision) - 1e-9) if precision < 1 else None


def sign_test(only_first: int, only_second: int) -> float:
    """The chance of a difference at least this large between two equally good ones (exact, two-sided).

    Source: McNemar's test in its exact binomial form, over the cases on which exactly one was right.
    """
    total = only_first + only_second
    tail = sum(math.comb(total, number) for number in range(min(only_first, only_second) + 1))
    return min(1.0, float(2 * tail / 2**total))


@dataclass(frozen=True, slots=True)
class ScoreBlock:
    """Cases with a score from `low` to `high` that share one estimate."""

    low: float
    high: float
    weight: float
    value: float


def isotonic(blocks: Iterable[ScoreBlock]) -> list[ScoreBlock]:
    """The closest non-decreasing estimates, found by pooling neighbours; `blocks` are in order of score.

    Source: pool adjacent violators; M. Ayer et al., Annals of Mathematical Statistics 26 (1955), 641-647.
    """
    pooled: list[ScoreBlock] = []
    for block in blocks:
        pooled.append(block)
        while len(pooled) > 1 and pooled[-2].value >= pooled[-1].value:
            pooled[-2:] = [_merged(pooled[-2], pooled[-1])]
    return pooled


def _merged(lower: ScoreBlock, upper: ScoreBlock) -> ScoreBlock:
    weight = lower.weight + upper.weight
    value = (lower.value * lower.weight + upper.value * upper.weight) / weight
    return ScoreBlock(lower.low, upper.high, weight, value)


def calibration_points(cases: Sequence[tuple[float, bool]]) -> list[tuple[float, float]]:
    """(raw, calibrated) points for `calibration.mapped` from raw scores and whether each was right.

    Isotonic regression, with one right and one wrong case added to each step (Laplace), so that a step with few
    cases stays near one half.
    """
    by_score: dict[float, list[bool]] = {}
    for raw, right in cases:
        by_score.setdefault(raw, []).append(right)
    single = [
        ScoreBlock(raw, raw, len(found), sum(found) / len(found)) for raw, found in sorted(by_score.items())
    ]
    modest = [
        ScoreBlock(step.low, step.high, step.weight, (step.value * step.weight + 1) / (step.weight + 2))
        for step in isotonic(single)
    ]
    points = [(edge, round(step.value, 4)) for step in isotonic(modest) for edge in (step.low, step.high)]
    return list(dict.fromkeys(points))
