"""`PagePart`: one section of a domain's page. Its content belongs to its domain, drawing to `drawing.py`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePart:
    """One section, read and drawn separately, so that a fault in it does not affect the others.

    Attributes:
        key: the id of its element: ``"scheduler"``. The content that is refreshed inside has the id
            ``"scheduler-now"``.
        title: the key of its heading's text. ``title + ".away"`` is the key of the text shown while it can't be read.
        template: its template, with the variables `shown` and `part`: ``"entities/scheduler.html"``.
        read: returns `shown` for the query of the page's address. A `PipelineFailure` is shown in place of the part.
        refresh_s: after how many seconds an open page requests it again; None for never.
        is_wide: whether it has the page's whole width, below the panels.
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
    """All parts, with the inner ones before the part that holds them."""
    return [one for part in parts for one in (*part.inner, part)]
