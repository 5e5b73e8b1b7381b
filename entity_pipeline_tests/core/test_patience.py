"""Waiting for an unreachable database, without waiting in the test."""

import pytest

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable
from entity_pipeline.core.patience import patiently


class Flaky:
    """Fails as often as given, then answers."""

    def __init__(self, failures: int, error: type[Exception] = DatabaseUnavailable) -> None:
        self._left = failures
        self._error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._left:
            self._left -= 1
            raise self._error("The database is away.")
        return "answer"


def test_a_call_that_works_at_once_does_not_wait() -> None:
    pauses: list[float] = []
    assert patiently(Flaky(0), sleep=pauses.append) == "answer"
    assert pauses == []


def test_the_pauses_grow_up_to_five_seconds() -> None:
    pauses: list[float] = []
    assert patiently(Flaky(7), sleep=pauses.append) == "answer"
    assert pauses == [0.25, 0.5, 1, 2, 4, 5, 5]


def test_a_database_that_stays_away_is_reported_after_the_patience_is_used_up() -> None:
    pauses: list[float] = []
    action = Flaky(99)
    with pytest.raises(DatabaseUnavailable, match="away"):
        patiently(action, patience_s=3, sleep=pauses.append)
    assert pauses == [0.25, 0.5, 1, 2]
    assert action.calls == len(pauses) + 1


def test_no_patience_means_one_attempt() -> None:
    action = Flaky(1)
    with pytest.raises(DatabaseUnavailable):
        patiently(action, patience_s=0, sleep=lambda _: pytest.fail("it must not wait"))
    assert action.calls == 1


def test_any_other_failure_is_passed_on_at_once() -> None:
    action = Flaky(1, ConfigurationFailure)
    with pytest.raises(ConfigurationFailure):
        patiently(action, sleep=lambda _: pytest.fail("it must not wait"))
    assert action.calls == 1
