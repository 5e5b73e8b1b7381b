"""The stored review: its form, and what it says about what to do next."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.models import Evidence, Grounding, Review, Verdict
from entity_pipeline.domains.entities.reviews.logic.confidence import Calibrated
from entity_pipeline.domains.entities.reviews.logic.record import (
    ReviewInputs,
    consumed_event_id,
    deferred_record,
    failed_record,
    is_final,
    is_pending,
    is_stale,
    reviewed_record,
    stale_reasons,
    verdict_from_record,
)
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import REVIEW

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=timezone(timedelta(hours=9)))
LATER = NOW + timedelta(hours=1)
INPUTS = ReviewInputs(model="gemini-2.5-flash", prompt_version="p1", schema_version="1", input_hash="h1")
EVENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
GROUNDING = Grounding(
    True, 2, 1, (Evidence("See @gentlemonster.", 1, "https://example.org/", None, True),), ("q",)
)


def reviewed(previous: dict[str, Any] | None = None, inputs: ReviewInputs = INPUTS) -> dict[str, Any]:
    return reviewed_record(
        Review.model_validate(REVIEW),
        Calibrated(raw=0.9, confidence=0.8),
        GROUNDING,
        inputs,
        previous=previous,
        reviewed_at=NOW,
        model_version="gemini-2.5-flash",
        usage_event_id=EVENT,
        notes=("confidence:in_words",),
        search_entry_point="<div></div>",
    )


def failed(previous: dict[str, Any] | None = None, event: str | None = None) -> dict[str, Any]:
    return failed_record(INPUTS, previous=previous, reason="no_json", detail="No JSON.", usage_event_id=event)


def deferred(previous: dict[str, Any] | None = None, *, counts: bool) -> dict[str, Any]:
    return deferred_record(
        previous=previous,
        reason="cap_reached",
        detail="The cap is reached.",
        next_attempt_at=LATER,
        counts=counts,
    )


def test_a_finished_review_has_the_documented_form() -> None:
    record = reviewed(failed())
    assert json.loads(json.dumps(record)) == {
        "status": "reviewed",
        "review": {
            **REVIEW,
            "field_confidence": {
                "name_en": None,
                "name_ko": None,
                "account_type": 0.97,
                "account_role": 0.9,
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
    stored = json.loads(json.dumps(reviewed()))
    assert verdict_from_record(stored) == Verdict(
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
    assert verdict_from_record({**reviewed(), **change}) is None
    assert verdict_from_record(None) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"grounded": "true"}, (False, 2, True)),
        ({"chunks": None}, (True, 0, True)),
        ({"evidence": None}, (True, 2, False)),
        ({"evidence": [{"names_account": 1}, None]}, (True, 2, False)),
    ],
)
def test_a_doubtful_proof_is_no_proof(change: dict[str, Any], expected: tuple[bool, int, bool]) -> None:
    verdict = verdict_from_record({**reviewed(), **change})
    assert verdict is not None
    assert (verdict.grounded, verdict.chunks, verdict.supported) == expected


def test_a_paid_reply_that_can_not_be_used_is_final_since_the_same_input_is_never_paid_twice() -> None:
    assert is_final(failed())


def test_a_deferral_that_made_no_call_never_uses_up_the_attempts() -> None:
    record: dict[str, Any] = deferred(counts=True)
    for _ in range(10):
        record = deferred(record, counts=False)
    assert (record["status"], record["attempts"]) == ("deferred", 1)
    assert not is_final(record)


def test_the_last_counted_deferral_is_a_failure() -> None:
    record = deferred(deferred(deferred(counts=True), counts=True), counts=True)
    assert (record["status"], record["attempts"], record["next_attempt_at"]) == ("failed", 3, None)
    assert is_final(record)


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
    assert is_pending(record, now) is pending


def test_a_failed_renewal_leaves_the_earlier_review_in_place() -> None:
    before = reviewed()
    after = failed(before)
    assert after == {**before, "error": {"reason": "no_json", "detail": "No JSON."}}
    assert is_final(deferred(after, counts=True))
    assert reviewed(after)["attempts"] == 1


def test_a_failed_renewal_remembers_its_reply_so_that_the_next_one_is_not_answered_with_it_again() -> None:
    newer = "7"
    renewed = failed(reviewed(), newer)
    assert consumed_event_id(reviewed()) == EVENT
    assert consumed_event_id(renewed) == newer
    assert consumed_event_id(reviewed(renewed)) == EVENT
    assert consumed_event_id(None) is None
    assert consumed_event_id({"usage_event_id": 7}) is None


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
    assert stale_reasons(reviewed(), current) == reasons
    assert is_stale(reviewed(), current) is bool(reasons)
    assert not is_stale(None, current)
    assert not is_stale(deferred(counts=True), current)


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
def test_no_stored_record_raises(record: dict[str, Any]) -> None:
    verdict = verdict_from_record(record)
    assert verdict is None or 0 <= verdict.confidence <= 1
    assert not (is_final(record) and is_pending(record, NOW))
    assert isinstance(stale_reasons(record, INPUTS), tuple)
