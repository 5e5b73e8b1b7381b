"""The part of a domain's page that shows Gemini's quota and cost. Its figures are in `gemini_quota.py`."""

from collections.abc import Callable
from dataclasses import dataclass

from entity_pipeline.admin.charts import ColumnChart, column_chart
from entity_pipeline.admin.gemini_quota import QuotaFigures, read_quota
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.parts import PagePart


@dataclass(frozen=True, slots=True)
class QuotaShown:
    """The figures and their chart."""

    figures: QuotaFigures
    chart: ColumnChart


def quota_part(at: Installation, count_pending: Callable[[], int]) -> PagePart:
    """The part; `count_pending` returns the number of requests with a search that the domain's backlog needs."""
    return PagePart(
        key="quota",
        title="quota",
        template="quota.html",
        read=lambda _: _shown(read_quota(at, count_pending)),
    )


def _shown(figures: QuotaFigures) -> QuotaShown:
    days = [(day.day, day.units(figures.unit)) for day in figures.history]
    return QuotaShown(figures, column_chart(days, figures.cap))
