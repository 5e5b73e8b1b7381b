"""The calibration and thresholds that keep a chosen precision, proposed from labelled accounts. Pure.

One half of the accounts determines the calibration and the other half the threshold, so that no account confirms a
curve that was fitted to it. The hash of the handle selects the half, so it never changes.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.proportions import Share
from entity_pipeline.domains.entities.evaluation.logic.figures import CATALOG_TYPES, precision_of_written
from entity_pipeline.domains.entities.evaluation.logic.judging import LabelledAnswer, judge
from entity_pipeline.domains.entities.evaluation.logic.statistics import (
    calibration_points,
    needed_without_fault,
)
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.settings import EntitySettings

LEAST_TO_CALIBRATE = 50
_STEP = 1_000  # thresholds in thousandths


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposal for one type. Without a threshold there is none, and `why` says what is missing."""

    account_type: AccountType
    calibrated_on: int
    points: tuple[tuple[float, float], ...] | None
    threshold: float | None
    proof: Share | None
    why: str


def propose(answers: Sequence[LabelledAnswer], settings: EntitySettings, precision: float) -> list[Proposal]:
    """For each type, the lowest threshold at which the precision of what would be written is proven.

    Proven means that Wilson's lower bound (95 %, one-sided) reaches `precision`, 0 to 1.
    """
    halves: tuple[list[LabelledAnswer], list[LabelledAnswer]] = ([], [])
    for answer in answers:
        halves[in_second_half(answer.labelled.handle)].append(answer)
    return [_propose(kind, *halves, settings, precision) for kind in CATALOG_TYPES]


def in_second_half(handle: str) -> bool:
    """Whether an account belongs to the second half of every file."""
    # Not the plain hash of the handle, because a file may itself be one half of a set that was split by it.
    return bool(hashlib.sha256(f"evaluation half {handle}".encode()).digest()[0] & 1)


def _propose(
    kind: AccountType,
    first: Sequence[LabelledAnswer],
    second: Sequence[LabelledAnswer],
    settings: EntitySettings,
    precision: float,
) -> Proposal:
    cases = _honest_cases(first, kind, settings)
    if len(cases) < LEAST_TO_CALIBRATE:
        why = (
            f"not enough labelled accounts: the half for the calibration has {len(cases)} with a proven review that "
            f"says {kind.value}, and {LEAST_TO_CALIBRATE} are needed"
        )
        return Proposal(kind, len(cases), None, None, None, why)
    points = calibration_points(cases)
    calibrated = settings.model_copy(update={"calibration": {**settings.calibration, kind.value: points}})
    judged = [judge(answer, calibrated) for answer in second]
    reached = {item.written_up_to for item in judged if item.said is kind and item.written_up_to is not None}
    # Rounded down, so that the accounts at the threshold itself are included.
    thresholds = sorted({math.floor(value * _STEP + 1e-9) / _STEP for value in reached})
    proofs = [(value, precision_of_written(judged, kind, value)) for value in thresholds]
    for threshold, proof in proofs:
        if proof.at_least >= precision:
            return Proposal(kind, len(cases), tuple(points), threshold, proof, "")
    return Proposal(kind, len(cases), None, None, None, _why_none(proofs, precision))


def _honest_cases(
    answers: Sequence[LabelledAnswer], kind: AccountType, settings: EntitySettings
) -> list[tuple[float, bool]]:
    """Raw confidence and correctness of the reviews that only their confidence could keep out of the catalog."""
    cases = []
    for answer in answers:
        item = judge(answer, settings)
        if item.said is kind and item.raw is not None and item.written_up_to is not None:
            cases.append((item.raw, item.right))
    return cases


def _why_none(proofs: Sequence[tuple[float, Share]], precision: float) -> str:
    needed = needed_without_fault(precision)
    if needed is None:
        return "no number of accounts proves a precision of 1: choose a lower one"
    most = max((proof.total for _, proof in proofs), default=0)
    if most < needed:
        return (
            f"not enough labelled accounts: {most} would be written in the half for the threshold, "
            f"and at least {needed} without an error are needed to prove {precision:.1%}"
        )
    threshold, best = max(proofs, key=lambda item: item[1].at_least)
    return (
        f"no threshold reaches it: the best is {threshold:g} with {best.right} of {best.total} right, "
        f"which proves {best.at_least:.1%}"
    )


def as_record(proposal: Proposal, precision: float) -> dict[str, Any]:
    """The proposal as JSON values for `review_evaluations.proposal`."""
    proof = proposal.proof
    return {
        "type": proposal.account_type.value,
        "target": precision,
        "calibrated_on": proposal.calibrated_on,
        "calibration": None if proposal.points is None else [list(point) for point in proposal.points],
        "threshold": proposal.threshold,
        "right": proof.right if proof else None,
        "written": proof.total if proof else None,
        "at_least": proof.at_least if proof else None,
        "why": proposal.why,
    }
