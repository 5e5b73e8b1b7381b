"""Score one answer against its label, as if it were published without review. Pure.

Whether an account would be written is decided by `decide` itself, with an empty catalog, and not by a copy of its
rules. The catalog (twins, people's values) can only lead to further holds.
"""

from dataclasses import dataclass
from uuid import UUID

from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled
from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.logic.decisions import Candidates, Decision, Exclude, Hold
from entity_pipeline.domains.entities.links.logic.proof import overruled
from entity_pipeline.domains.entities.models import (
    TABLE_OF_TYPE,
    Account,
    AccountType,
    Grounding,
    Review,
    Verdict,
)
from entity_pipeline.domains.entities.reviews.logic.calibration import calibrate
from entity_pipeline.domains.entities.settings import EntitySettings, Thresholds

NOT_COVERED = "not_covered"


@dataclass(frozen=True, slots=True)
class LabelledAnswer:
    """The answer for one labelled account.

    `review` and `grounding` are None if there is no usable review; `outcome` then says why: a failure, or
    `not_covered` if the model was not asked.
    """

    labelled: Labelled
    outcome: str
    review: Review | None = None
    grounding: Grounding | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer under some settings.

    `written_up_to` is the highest threshold of its type at which it would be written to the catalog, None if there is
    none; `held` are the reasons under the settings' own thresholds.
    """

    labelled: Labelled
    outcome: str
    said: AccountType | None = None
    raw: float | None = None
    confidence: float | None = None
    written_up_to: float | None = None
    held: tuple[str, ...] = ()
    review: Review | None = None

    @property
    def right(self) -> bool:
        """Whether the type is the labelled one."""
        return self.said is self.labelled.truth

    @property
    def asked(self) -> bool:
        """Whether there is a reply, or a failure of the model."""
        return self.outcome != NOT_COVERED

    def written(self, threshold: float) -> bool:
        """Whether the account would be written to the catalog without a person at this threshold."""
        return self.written_up_to is not None and self.written_up_to >= threshold


def judge(answer: LabelledAnswer, settings: EntitySettings) -> Judged:
    """The answer with calibration, the fashion-only rule, the honesty gate and the decision applied."""
    if answer.review is None or answer.grounding is None:
        return Judged(answer.labelled, answer.outcome)
    scores = calibrate(answer.review, answer.grounding, settings)
    review = overruled(answer.review)
    verdict = verdict_of(review, answer.grounding, scores.confidence)
    decision = _decision(verdict, answer.labelled.handle, settings)
    return Judged(
        labelled=answer.labelled,
        outcome=answer.outcome,
        said=verdict.review.account_type,
        raw=scores.raw,
        confidence=scores.confidence,
        written_up_to=_written_up_to(verdict, answer.labelled.handle, settings),
        held=tuple(reason.value for reason in decision.reasons) if isinstance(decision, Hold) else (),
        review=answer.review,
    )


def verdict_of(review: Review, grounding: Grounding, confidence: float) -> Verdict:
    """The decision's input, equal to the one that the pipeline reads back from its stored review."""
    return Verdict(
        review=review,
        confidence=confidence,
        grounded=grounding.grounded,
        chunks=grounding.chunks,
        supported=grounding.supported,
        claims=tuple(item.claim for item in grounding.evidence if item.names_account),
        sources=tuple(item.title for item in grounding.evidence if item.title),
        handle_tie=grounding.handle_tie,
    )


def _written_up_to(verdict: Verdict, handle: str, settings: EntitySettings) -> float | None:
    """The highest threshold at which the account is written. Only these numbers can change the decision."""
    sure: dict[str, float | None] = verdict.review.field_confidence.model_dump()
    numbers = {verdict.confidence, *(value for value in sure.values() if value is not None)}
    for threshold in sorted((number for number in numbers if number <= verdict.confidence), reverse=True):
        same = Thresholds(artist=threshold, brand=threshold, group=threshold)
        if _writes(_decision(verdict, handle, settings.model_copy(update={"thresholds": same}))):
            return threshold
    return None


def _decision(verdict: Verdict, handle: str, settings: EntitySettings) -> Decision:
    account = Account(id=UUID(int=0), username=handle, handle=handle)
    return decide(account, verdict, Candidates(), settings)


def _writes(decision: Decision) -> bool:
    """Whether it writes an entity, a link, or the type of an account that waits for its primary one."""
    if not isinstance(decision, Hold | Exclude):
        return True
    return decision.account is not None and decision.account.account_type in TABLE_OF_TYPE
