from uuid import UUID

import pytest

from entity_pipeline.domains.entities.reviews.review import Done
from entity_pipeline_tests.fakes.reviewer import FakeReviewer

A, B = UUID(int=1), UUID(int=2)


def test_outcomes_are_used_up_in_order_and_everybody_else_is_reviewed() -> None:
    fake = FakeReviewer({A: [Done("gone"), lambda: Done("late"), KeyError("x")]})
    assert [fake.review(A), fake.review(A)] == [Done("gone"), Done("late")]
    with pytest.raises(KeyError):
        fake.review(A)
    assert fake.review(B).outcome == fake.review(A).outcome == "reviewed"
    assert fake.reviewed == fake.finished == [A, A, A, B, A]
    assert fake.most_at_once == 1
