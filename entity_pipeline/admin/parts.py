"""`PagePart`: one section of a domain's page. What it shows belongs to its domain, how it is drawn to `drawing.py`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePart:
    """One section, read and drawn alone: a fault in it leaves the others as they are.

    Attributes:
        key: the id of its element: ``"scheduler"``. What is drawn anew inside has the id ``"scheduler-now"``.
        title: the key of its heading's text. Under ``title + ".away"`` is what it says while it can't be read.
        template: what draws it, with `shown` and `part` among its variables: ``"entities/scheduler.html"``.
        read: gives `shown` for the query of the page's address. A `PipelineFailure` is shown in place of the part.
        refresh_s: after how many seconds an open page asks for it again; None for never.
        is_wide: it has the page's whole width, below the panels.
        inner: parts that its template draws inside, as ``inner["results"]``.
    """

    key: str
    title: str
    template: str
    read: Callable[[Mapping[str, str]], Any]
    refresh_s: int | None = 30
    is_wide: bool = False
    inner: Sequence["PagePart"] = ()


def every_part(parts: Sequence[PagePart]) -> list[PagePart]:
    """The parts and those inside, each behind what it holds."""
    return [one for part in parts for one in (*part.inner, part)]
