"""`MetricsPart`: metrics that are read together, and the form of their samples.

Labels have few values, all known beforehand; any other value in a row counts as ``other``. No account is a label. What
can't be told has no sample. Instants are seconds since 1970, so that a scraper's clock makes ages.
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
    """One family; `help` is what `/metrics` says of it."""

    help: str
    labels: tuple[str, ...] = ()


@dataclass
class Asking:
    """Asks for one figure after another. Once a database is away, it is asked for nothing more."""

    is_up: bool = True
    is_away: bool = False
    began: float = field(default_factory=time.monotonic)

    def known(self, ask: Callable[[], T]) -> T | None:
        """The answer, or None when it can't be had."""
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
    """Figures that are up or down together.

    Attributes:
        name: the label `part` of ``entity_pipeline_up``.
        families: its families by their name without `PREFIX`.
        read: gives the samples by family; what it asks for, it asks through `Asking.known`.
        cached_s: for how many seconds a reading is used again.
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
