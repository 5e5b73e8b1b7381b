from datetime import UTC, datetime

import pytest

from entity_pipeline.core.settings import parse
from entity_pipeline.domains.entities.evaluation.logic.judging import (
    NOT_COVERED,
    LabelledAnswer,
    judge,
    verdict_of,
)
from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.reviews.logic.calibration import calibrate
from entity_pipeline.domains.entities.reviews.logic.record import (
    ReviewRecord,
    reviewed_record,
)
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply
from entity_pipeline.domains.entities.reviews.logic.review_call import ReviewCall
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.evaluated import answer

SETTINGS = EntitySettings()


def test_a_proven_review_is_written_up_to_its_confidence() -> None:
    judged = judge(answer("prada", "brand", confidence=0.93), SETTINGS)
    assert (judged.said, judged.confidence, judged.written_up_to, judged.held) == (
        AccountType.BRAND,
        0.93,
        0.93,
        (),
    )
    assert judged.right
    assert judged.written(0.93)
    assert not judged.written(0.9301)


@pytest.mark.parametrize("grounded", [True, False])
def test_what_is_judged_is_what_the_pipeline_reads_back_from_its_record(grounded: bool) -> None:
    item = answer("prada", "brand", confidence=0.93, grounded=grounded)
    assert item.review is not None
    assert item.grounding is not None
    scores = calibrate(item.review, item.grounding, SETTINGS)
    parsed = ParsedReply(item.review, ())
    record = reviewed_record(
        parsed, item.grounding, scores, ReviewCall(), previous=None, at=datetime.now(UTC)
    )
    read_back = ReviewRecord.from_json(record.to_json())
    assert read_back is not None
    assert verdict_of(item.review, item.grounding, scores.confidence) == read_back.verdict


def test_without_proof_it_is_written_at_no_threshold() -> None:
    judged = judge(answer("prada", "brand", confidence=0.99, grounded=False), SETTINGS)
    assert (judged.written_up_to, judged.confidence) == (None, 0.5)
    assert "ungrounded" in judged.held


@pytest.mark.parametrize(
    ("review", "up_to"),
    [
        ({"account_role": "unknown"}, None),
        ({"account_role": "secondary"}, 0.95),
        ({"account_role": "regional", "entity_region_code": None}, None),
        ({"name_en": None, "name_ko": None}, None),
        ({"field_confidence": {"name_en": 0.8, "name_ko": 0.6}}, 0.8),
        ({"country_of_origin": "Namibia"}, None),
        ({"account_type": "unknown"}, None),
        ({"account_type": "other"}, None),
    ],
)
def test_the_rules_of_the_decision_say_up_to_where_it_is_written(
    review: dict[str, object], up_to: float | None
) -> None:
    assert judge(answer("prada", "brand", **{"confidence": 0.95, **review}), SETTINGS).written_up_to == up_to


def test_a_brand_that_the_reply_describes_as_beauty_is_said_to_be_other() -> None:
    judged = judge(answer("nivea", "other", "brand", field="beauty"), SETTINGS)
    assert (judged.said, judged.right, judged.written_up_to) == (AccountType.OTHER, True, None)


def test_the_calibration_from_the_settings_applies() -> None:
    settings = parse(EntitySettings, {"calibration": {"brand": [[0.9, 0.6], [1.0, 0.8]]}})
    judged = judge(answer("prada", "brand", confidence=0.95), settings)
    assert (judged.raw, judged.confidence) == (0.95, pytest.approx(0.7))
    assert judged.held == ("below_threshold",)


def test_an_account_without_a_review_says_why() -> None:
    label = Labelled("prada", AccountType.BRAND)
    failed, unasked = (
        judge(LabelledAnswer(label, "failed:no_json"), SETTINGS),
        judge(LabelledAnswer(label, NOT_COVERED), SETTINGS),
    )
    assert (failed.asked, failed.said, failed.right) == (True, None, False)
    assert not unasked.asked
