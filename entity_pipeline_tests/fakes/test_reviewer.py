from uuid import UUID

import pytest

from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.runs.workers import Done
from entity_pipeline_tests.fakes.reviewer import FakeReviewer

A, B = UUID(int=1), UUID(int=2)
RULES = EntitySettings()


def test_outcomes_are_used_up_in_order_and_every_other_account_is_reviewed() -> None:
    fake = FakeReviewer({A: [Done("gone"), lambda: Done("late"), KeyError("x")]})
    assert [fake.review(A, RULES), fake.review(A, RULES)] == [Done("gone"), Done("late")]
    with pytest.raises(KeyError):
        fake.review(A, RULES)
    assert [fake.review(B, RULES), fake.review(A, RULES)] == [Done("reviewed")] * 2
    assert fake.reviewed == fake.finished == [A, A, A, B, A]
    assert fake.most_at_once == 1
