"""How parts of the metrics are read: side by side, with little patience, cached, and each failing alone."""

import threading
from collections.abc import Mapping

import pytest

from entity_pipeline.admin.metrics import reading
from entity_pipeline.admin.metrics.families import described
from entity_pipeline.admin.metrics.part import Asking, Described, MetricsPart, Samples, by_value, one
from entity_pipeline.admin.metrics.reading import MetricsReader
from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable


class Counted:
    """A part that counts how often it is read."""

    def __init__(self, name: str = "counted", cached_s: float = 60.0) -> None:
        self.reads = 0
        self.part = MetricsPart(name=name, families={}, read=self._read, cached_s=cached_s)

    def _read(self, asking: Asking) -> Mapping[str, Samples]:
        self.reads += 1
        return {"things": one(self.reads)}


def test_scrapes_in_a_row_read_a_part_once() -> None:
    counted = Counted()
    reader = MetricsReader([counted.part])
    assert [reader.read()["counted"].samples["things"] for _ in range(6)] == [one(1)] * 6
    assert counted.reads == 1


def test_a_part_that_is_no_longer_fresh_is_read_again() -> None:
    counted = Counted(cached_s=0)
    reader = MetricsReader([counted.part])
    assert [reader.read()["counted"].samples["things"] for _ in range(3)] == [one(1), one(2), one(3)]


def test_a_part_that_never_answers_is_given_up_on_and_not_asked_again_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", 0.2)
    let_go, asked = threading.Event(), []

    def hang(asking: Asking) -> Mapping[str, Samples]:
        asked.append(asking)
        let_go.wait(30)
        return {}

    quick = Counted()
    reader = MetricsReader([MetricsPart(name="hanging", families={}, read=hang, cached_s=0), quick.part])
    found = [reader.read() for _ in range(3)]
    let_go.set()
    assert [read["hanging"].is_up for read in found] == [False] * 3
    assert [read["counted"].is_up for read in found] == [True] * 3
    assert len(asked) == 1


def test_a_part_with_a_fault_is_down_and_the_others_are_not() -> None:
    def fault(asking: Asking) -> Mapping[str, Samples]:
        raise ZeroDivisionError

    found = MetricsReader([MetricsPart(name="broken", families={}, read=fault), Counted().part]).read()
    assert (found["broken"].is_up, found["broken"].samples) == (False, {})
    assert found["counted"].is_up


def test_once_a_database_is_away_it_is_asked_for_nothing_more() -> None:
    asking, asked = Asking(), []

    def away() -> int:
        asked.append(1)
        raise DatabaseUnavailable("PostgreSQL at db.example can't be reached.")

    assert [asking.known(away) for _ in range(3)] == [None] * 3
    assert (len(asked), asking.is_up) == (1, False)


def test_a_figure_that_can_not_be_read_does_not_affect_the_next_ones() -> None:
    asking = Asking()

    def refused() -> int:
        raise ConfigurationFailure("The role may not read it.")

    assert (asking.known(refused), asking.known(lambda: 3)) == (None, 3)
    assert not asking.is_up


def test_a_value_that_was_not_known_counts_as_other() -> None:
    assert by_value(("a", "b"), {"a": 2, "x": 1, "y": 4}) == [(("a",), 2.0), (("b",), 0.0), (("other",), 5.0)]


def test_two_parts_can_not_describe_one_family() -> None:
    part = MetricsPart(name="a", families={"things": Described("Things.")}, read=lambda asking: {})
    with pytest.raises(ValueError, match="things"):
        described([part, part])
