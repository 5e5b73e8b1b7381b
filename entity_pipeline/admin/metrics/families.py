"""All families of the parts with their samples, in the form of Prometheus' library."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from entity_pipeline.admin.metrics.part import PREFIX, Described, MetricsPart, Samples
from entity_pipeline.admin.metrics.reading import PartReading

OF_EVERY_PART: Mapping[str, Described] = {
    "up": Described("Whether every figure of the part could be read.", ("part",)),
    "reading_duration_seconds": Described("How long the last reading of the part took.", ("part",)),
}


def described(parts: Sequence[MetricsPart]) -> Mapping[str, Described]:
    """Every family by its name without the prefix.

    Raises:
        ValueError: two parts describe one family.
    """
    found = dict(OF_EVERY_PART)
    for part in parts:
        if twice := found.keys() & part.families.keys():
            raise ValueError(f"two metrics parts describe {', '.join(sorted(twice))}")
        found |= part.families
    return found


def families(parts: Sequence[MetricsPart], readings: Mapping[str, PartReading]) -> Iterator[Metric]:
    """Every family that has a sample, in the order of the parts."""
    samples: dict[str, Samples] = {
        "up": [((name,), float(read.is_up)) for name, read in readings.items()],
        "reading_duration_seconds": [((name,), read.took_s) for name, read in readings.items()],
    }
    for read in readings.values():
        samples |= read.samples
    for name, family in described(parts).items():
        gauge = GaugeMetricFamily(f"{PREFIX}{name}", family.help, labels=family.labels)
        for values, value in samples.get(name, ()):
            gauge.add_metric(values, float(value))
        if gauge.samples:
            yield gauge
