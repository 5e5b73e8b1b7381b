"""`MetricsPart`: metrics that are read together, and the form of their samples.

Labels have few values, all known beforehand; any other value in a row counts as ``other``. No account is a label. A
figure that can't be read has no sample. Instants are seconds since 1970, so that the scraper computes ages.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from entity_pipeline.core.failures import DatabaseUnavailable, PipelineFailure

T = TypeVar("T")

PREFIX = "entity_pipeline_"
OTHER = "other"

Samples = Sequence[tuple[Sequence[str], float]]
"""The values of the labels, and the value."""


@dataclass(frozen=True, slots=True)
class Described:
    """One family; `help` is its text in `/metrics`."""

    help: str
    labels: tuple[str, ...] = ()


@dataclass
class Asking:
    """Reads one figure after another. Once a database can't be reached, it is not read again."""

    is_up: bool = True
    is_away: bool = False
    began: float = field(default_factory=time.monotonic)

    def known(self, ask: Callable[[], T]) -> T | None:
        """The figure, or None when it can't be read."""
        if self.is_away:
            return None
        try:
            return ask()
        except DatabaseUnavailable:
            self.is_up, self.is_away = False, True
        except PipelineFailure:
            self.is_up = False
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPart:
    """Figures that are available or unavailable together.

    Attributes:
        name: the label `part` of ``entity_pipeline_up``.
        families: its families by their name without `PREFIX`.
        read: returns the samples by family; it reads every figure through `Asking.known`.
        cached_s: for how many seconds a reading is reused.
    """

    name: str
    families: Mapping[str, Described]
    read: Callable[[Asking], Mapping[str, Samples]]
    cached_s: float = 5.0


def one(value: float) -> Samples:
    """The sample of a family without labels."""
    return [((), value)]


def by_value(known: Sequence[str], counted: Mapping[str, int]) -> Samples:
    """Every known value, zeros included, so that a series begins before its first event; the rest as ``other``."""
    rest = sum(count for value, count in counted.items() if value not in set(known))
    samples = [((str(value),), float(counted.get(value, 0))) for value in known]
    return [*samples, ((OTHER,), float(rest))] if rest else samples
