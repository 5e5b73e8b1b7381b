"""A reply is read from the body to the row, one file after the other; none is called into again."""

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.review_bodies import grounded_body
from entity_pipeline_tests.domains.entities.reviews.test_review import HANDLE, add, asking, reviewer
from entity_pipeline_tests.domains.entities.reviews.trail import Trail

REVIEWS = "domains/entities/reviews"


def walk(operation_db: ClonedDatabase) -> Trail:
    account = add(operation_db)
    one = reviewer(operation_db, asking(grounded_body(HANDLE)))
    # `language` reads sentences for several steps, as `core/text` reads texts; it is no step of its own.
    within = ("domains/entities/reviews", "domains/entities/links", "core/gemini/reply_body")
    trail = Trail(after="FakeGemini.ask", until="write_stage", within=within)
    with trail.record():
        one.review(account)
    return trail


def test_a_reply_is_read_understood_proved_weighed_recorded_and_written_in_this_order(
    operation_db: ClonedDatabase,
) -> None:
    trail = walk(operation_db)
    assert trail.files == [
        "core/gemini/reply_body.py",
        f"{REVIEWS}/logic/reply.py",
        f"{REVIEWS}/logic/review_fields.py",
        f"{REVIEWS}/logic/reviewed_names.py",
        f"{REVIEWS}/logic/labels.py",
        f"{REVIEWS}/logic/countries.py",
        f"{REVIEWS}/logic/confidence.py",
        f"{REVIEWS}/logic/review_fields.py",
        f"{REVIEWS}/logic/grounding.py",
        f"{REVIEWS}/logic/reply_text.py",
        f"{REVIEWS}/logic/grounding.py",
        f"{REVIEWS}/review.py",
        f"{REVIEWS}/logic/review_call.py",
        f"{REVIEWS}/logic/calibration.py",
        f"{REVIEWS}/logic/record.py",
        f"{REVIEWS}/logic/finished_review.py",
        f"{REVIEWS}/review.py",
    ]
    assert trail.returns == 3
