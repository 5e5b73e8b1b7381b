"""The stored review: its form, and what it says about what to do next."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.accounts.logic.standing import is_due, review_waits
from entity_pipeline.domains.entities.models import Evidence, Grounding, Review, Verdict
from entity_pipeline.domains.entities.reviews.logic.calibration import Calibrated
from entity_pipeline.domains.entities.reviews.logic.record import (
    ReviewError,
    ReviewRecord,
    consumed_event_id,
    deferred_record,
    failed_record,
    reviewed_record,
)
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply
from entity_pipeline.domains.entities.reviews.logic.review_call import ReviewCall, ReviewInputs
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import REVIEW

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=timezone(timedelta(hours=9)))
LATER = NOW + timedelta(hours=1)
INPUTS = ReviewInputs(model="gemini-2.5-flash", prompt_version="p1", schema_version="1", input_hash="h1")
EVENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
GROUNDING = Grounding(
    True,
    2,
    1,
    (Evidence("See @gentlemonster.", 1, "https://example.org/", None, True),),
    ("q",),
    "<div></div>",
)


def stored(record: ReviewRecord) -> dict[str, Any]:
    """The review as the row stores it."""
    value: dict[str, Any] = json.loads(json.dumps(record.to_json()))
    return value


def read(value: object) -> ReviewRecord:
    record = ReviewRecord.from_json(value)
    assert record is not None
    return record


def reviewed(previous: dict[str, Any] | None = None, inputs: ReviewInputs = INPUTS) -> dict[str, Any]:
    record = reviewed_record(
        ParsedReply(Review.model_validate(REVIEW), ("confidence:in_words",)),
        GROUNDING,
        Calibrated(raw=0.9, confidence=0.8),
        ReviewCall.of(inputs, model_version="gemini-2.5-flash", event_id=EVENT),
        previous=ReviewRecord.from_json(previous),
        at=NOW,
    )
    return stored(record)


def failed(previous: dict[str, Any] | None = None, event: str | None = None) -> dict[str, Any]:
    call = ReviewCall.of(INPUTS, event_id=event)
    error = ReviewError("no_json", "No JSON.")
    return stored(failed_record(error, call, previous=ReviewRecord.from_json(previous)))


def deferred(previous: dict[str, Any] | None = None, *, counts: bool) -> dict[str, Any]:
    record = deferred_record(
        ReviewError("cap_reached", "The cap is reached."),
        previous=ReviewRecord.from_json(previous),
        next_attempt_at=LATER,
        counts=counts,
    )
    return stored(record)


def is_pending(value: dict[str, Any] | None, now: datetime) -> bool:
    """Whether the account's review is still pending."""
    return review_waits(value or {}) and is_due(value or {}, now.astimezone(UTC))


def verdict_of(value: object) -> Verdict | None:
    record = ReviewRecord.from_json(value)
    return record.verdict if record else None


def test_a_finished_review_has_the_documented_form() -> None:
    assert reviewed(failed()) == {
        "status": "reviewed",
        "review": {
            **REVIEW,
            "field": None,
            "field_confidence": {
                "name_en": None,
                "name_ko": None,
                "account_type": 0.97,
                "account_role": 0.9,
                "field": None,
                "primary_username": None,
                "entity_region_code": None,
                "country_of_origin": None,
            },
            "evidence": [{"claim": "See @gentlemonster.", "chunk": 1}],
        },
        "raw_confidence": 0.9,
        "confidence": 0.8,
        "grounded": True,
        "chunks": 2,
        "evidence": [
            {
                "claim": "See @gentlemonster.",
                "chunk": 1,
                "uri": "https://example.org/",
                "title": None,
                "names_account": True,
            }
        ],
        "search_queries": ["q"],
        "model": "gemini-2.5-flash",
        "model_version": "gemini-2.5-flash",
        "prompt_version": "p1",
        "schema_version": "1",
        "input_hash": "h1",
        "usage_event_id": EVENT,
        "reviewed_at": "2026-11-21T00:00:00+00:00",
        "attempts": 2,
        "next_attempt_at": None,
        "error": None,
        "notes": ["confidence:in_words"],
        "search_entry_point": "<div></div>",
    }


def test_a_stored_review_gives_the_verdict_it_was_made_from() -> None:
    assert verdict_of(reviewed()) == Verdict(
        review=Review.model_validate(REVIEW),
        confidence=0.8,
        grounded=True,
        chunks=2,
        supported=True,
        claims=("See @gentlemonster.",),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed"},
        {"review": None},
        {"review": {**REVIEW, "account_type": "influencer"}},
        {"confidence": None},
        {"confidence": "0.9"},
        {"confidence": True},
        {"confidence": 1.1},
    ],
)
def test_a_record_that_cannot_be_read_gives_no_verdict(change: dict[str, Any]) -> None:
    assert verdict_of({**reviewed(), **change}) is None
    assert verdict_of(None) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"grounded": "true"}, (False, 2, True)),
        ({"chunks": None}, (True, 0, True)),
        ({"evidence": None}, (True, 2, False)),
        ({"evidence": [{"names_account": 1}, None]}, (True, 2, False)),
    ],
)
def test_a_doubtful_proof_does_not_count(change: dict[str, Any], expected: tuple[bool, int, bool]) -> None:
    verdict = verdict_of({**reviewed(), **change})
    assert verdict is not None
    assert (verdict.grounded, verdict.chunks, verdict.supported) == expected


def test_a_paid_reply_that_can_not_be_used_is_final_since_the_same_input_is_never_paid_twice() -> None:
    assert read(failed()).is_final


def test_a_deferral_that_made_no_call_never_uses_up_the_attempts() -> None:
    record: dict[str, Any] = deferred(counts=True)
    for _ in range(10):
        record = deferred(record, counts=False)
    assert (record["status"], record["attempts"]) == ("deferred", 1)
    assert not read(record).is_final


def test_the_last_counted_deferral_is_a_failure() -> None:
    record = deferred(deferred(deferred(counts=True), counts=True), counts=True)
    assert (record["status"], record["attempts"], record["next_attempt_at"]) == ("failed", 3, None)
    assert read(record).is_final


@pytest.mark.parametrize(
    ("record", "now", "pending"),
    [
        (None, NOW, True),
        ({}, NOW, True),
        ({"status": "pending"}, NOW, True),
        ({"status": "something else", "attempts": 9}, NOW, True),
        (failed(), NOW, False),
        (deferred(counts=False), NOW, False),
        (deferred(counts=False), LATER, True),
        ({**deferred(counts=False), "next_attempt_at": "soon"}, NOW, True),
        ({**deferred(counts=False), "next_attempt_at": 5}, NOW, True),
        ({**deferred(counts=False), "next_attempt_at": "2026-11-21T00:00:01"}, NOW, False),
        (reviewed(), NOW, False),
    ],
)
def test_pending_means_it_may_be_tried_now(
    record: dict[str, Any] | None, now: datetime, pending: bool
) -> None:
    assert (review_waits(record or {}) and is_due(record or {}, now)) is pending


def test_a_failed_renewal_leaves_the_earlier_review_in_place() -> None:
    before = reviewed()
    after = failed(before)
    assert after == {**before, "error": {"reason": "no_json", "detail": "No JSON."}}
    assert read(deferred(after, counts=True)).is_final
    assert reviewed(after)["attempts"] == 1


def test_a_failed_renewal_remembers_its_reply_so_that_the_next_one_is_not_answered_with_it_again() -> None:
    newer = "7"
    renewed = failed(reviewed(), newer)
    assert consumed_event_id(read(reviewed())) == EVENT
    assert consumed_event_id(read(renewed)) == newer
    assert consumed_event_id(read(reviewed(renewed))) == EVENT
    assert consumed_event_id(None) is None
    assert consumed_event_id(read({"usage_event_id": 7})) is None


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ()),
        ({"prompt_version": "p2", "input_hash": "h2"}, ("prompt",)),
        ({"schema_version": "2", "model": "m2"}, ("schema", "model")),
        ({"input_hash": "h2"}, ("profile",)),
    ],
)
def test_a_finished_review_is_stale_when_its_inputs_changed(
    change: dict[str, str], reasons: tuple[str, ...]
) -> None:
    current = replace(INPUTS, **change)
    assert read(reviewed()).stale_reasons(current) == reasons
    assert read(deferred(counts=True)).stale_reasons(current) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted(reviewed())), json_values | st.sampled_from(["reviewed", "failed"])
    )
)
def test_no_stored_record_raises_and_none_of_it_is_lost(value: dict[str, Any]) -> None:
    record = read(value)
    assert record.verdict is None or 0 <= record.verdict.confidence <= 1
    assert not (record.is_final and is_pending(value, NOW))
    assert isinstance(record.stale_reasons(INPUTS), tuple)
    kept = record.to_json()
    assert repr({key: kept[key] for key in value}) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        reviewed(),
        failed(),
        failed(event="7"),
        deferred(counts=True),
        deferred(failed(), counts=False),
        failed(reviewed(), "7"),
        stored(read(reviewed()).of_run("run-1")),
    ],
)
def test_a_record_reads_what_it_wrote(value: dict[str, Any]) -> None:
    record = read(value)
    assert record.unread == {}
    assert record.to_json() == value
    assert read(record.to_json()) == record


def test_a_renewal_that_fails_keeps_what_a_later_release_or_a_person_wrote() -> None:
    before = {
        **reviewed(),
        "review": {**REVIEW, "account_type": "of a later release"},
        "evidence": "by hand",
        "colour": "blue",
        "error": "by hand",
    }
    after = failed(before, "7")
    error = {"reason": "no_json", "detail": "No JSON."}
    assert after == {**before, "error": error, "failed_event_id": "7"}
