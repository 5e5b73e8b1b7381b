import hashlib
import json
import random

import pytest

from entity_pipeline.core.settings import parse
from entity_pipeline.domains.entities.evaluation.logic.figures import precision_of_written
from entity_pipeline.domains.entities.evaluation.logic.judging import LabelledAnswer, judge
from entity_pipeline.domains.entities.evaluation.logic.proposal import (
    Proposal,
    as_record,
    in_second_half,
    propose,
)
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.evaluated import answer, many, named

SETTINGS = EntitySettings()
# A model that is sure of itself at 0.9 and right in 70 %, at 0.97 in 99.5 %.
SURE = {0.9: 0.70, 0.97: 0.995}


def brands(count: int, seed: int, sure: dict[float, float] = SURE) -> list[LabelledAnswer]:
    chance = random.Random(seed)
    like = {
        (claimed, truth): answer("any", truth, "brand", confidence=claimed)
        for claimed in sure
        for truth in ("brand", "other")
    }
    found = []
    for number in range(count):
        claimed = chance.choice(sorted(sure))
        truth = "brand" if chance.random() < sure[claimed] else "other"
        found.append(named(like[claimed, truth], f"b{seed}.{number}"))
    return found


def of(answers: list[LabelledAnswer], precision: float, kind: str = "brand") -> Proposal:
    return next(item for item in propose(answers, SETTINGS, precision) if item.account_type == kind)


def test_the_proposal_keeps_the_precision_on_accounts_it_has_not_seen() -> None:
    proposal = of(brands(1_200, 1), 0.95)
    assert proposal.threshold is not None
    assert proposal.points is not None
    assert [raw for raw, _ in proposal.points] == [0.9, 0.97]
    assert proposal.points[0][1] == pytest.approx(0.70, abs=0.06)
    assert proposal.points[1][1] == pytest.approx(0.985, abs=0.015)
    settings = parse(
        EntitySettings,
        {"thresholds": {"brand": proposal.threshold}, "calibration": {"brand": list(proposal.points)}},
    )
    unseen = [judge(item, settings) for item in brands(1_200, 2)]
    kept = precision_of_written(unseen, AccountType.BRAND, proposal.threshold)
    assert kept.total > 400
    assert kept.share is not None
    assert kept.share >= 0.95


def test_the_lowest_threshold_that_is_proven_is_taken() -> None:
    low, high = of(brands(1_200, 1), 0.6), of(brands(1_200, 1), 0.95)
    assert low.threshold is not None
    assert high.threshold is not None
    assert low.threshold < high.threshold
    assert low.proof is not None
    assert low.proof.at_least >= 0.6


@pytest.mark.parametrize(
    ("answers", "precision", "why"),
    [
        (many(20, "brand"), 0.98, "not enough labelled accounts: "),
        (many(200, "brand"), 0.98, "and at least 133 without an error are needed to prove 98.0%"),
        (many(200, "brand"), 1.0, "no number of accounts proves a precision of 1"),
        (many(400, "other", "brand"), 0.9, "no threshold reaches it: the best is "),
        (many(400, "brand", grounded=False), 0.5, "the half for the calibration has 0 with a proven review"),
    ],
    ids=["few", "no proof", "one", "all wrong", "no evidence"],
)
def test_where_nothing_is_proven_nothing_is_proposed(
    answers: list[LabelledAnswer], precision: float, why: str
) -> None:
    proposal = of(answers, precision)
    assert (proposal.threshold, proposal.points) == (None, None)
    assert why in proposal.why


def test_each_half_has_its_share_of_the_accounts_even_of_one_half_of_a_hash() -> None:
    odd = [name for name in map(str, range(4_000)) if hashlib.sha256(name.encode()).digest()[0] & 1]
    assert 0.45 < sum(map(in_second_half, odd)) / len(odd) < 0.55


def test_a_proposal_is_kept_as_json_and_its_values_are_valid_settings() -> None:
    record = json.loads(json.dumps(as_record(of(brands(1_200, 1), 0.95), 0.95)))
    settings = parse(
        EntitySettings,
        {"thresholds": {"brand": record["threshold"]}, "calibration": {"brand": record["calibration"]}},
    )
    assert settings.thresholds.brand == record["threshold"]
    assert record["at_least"] >= 0.95
