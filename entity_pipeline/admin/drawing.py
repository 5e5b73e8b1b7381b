"""A domain's parts as HTML: all are read in parallel, and a fault in one does not affect the others."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from markupsafe import Markup

from entity_pipeline.admin.parts import PagePart, every_part
from entity_pipeline.admin.screen import Screen
from entity_pipeline.core.failures import PipelineFailure

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a part can't be shown; without a sentence, only the server's log says why."""

    sentence: str | None = None


def drawn_parts(screen: Screen, parts: Sequence[PagePart]) -> Mapping[str, Markup]:
    """The HTML of every part and of the parts inside it, by key."""
    every = every_part(parts)
    with ThreadPoolExecutor(max(len(every), 1)) as side_by_side:
        readings = list(side_by_side.map(partial(_read, screen.query), every))
    drawn: dict[str, Markup] = {}
    for one, reading in zip(every, readings, strict=True):
        drawn[one.key] = _draw(screen, one, reading, {inside.key: drawn[inside.key] for inside in one.inner})
    return drawn


def part_for(parts: Sequence[PagePart], element: str | None) -> PagePart | None:
    """The part that is drawn into the element with this id."""
    return next((one for one in every_part(parts) if f"{one.key}-now" == element), None)


def _read(query: Mapping[str, str], part: PagePart) -> Any:
    try:
        return part.read(query)
    except PipelineFailure as failure:
        return _Trouble(str(failure))
    except Exception as error:  # noqa: BLE001  a fault in one part must not take the others with it
        return _fault(part, error)


def _draw(screen: Screen, part: PagePart, shown: Any, inner: Mapping[str, Markup]) -> Markup:
    values: dict[str, Any] = {"part": part, "inner": inner, "now": datetime.now(UTC)}
    if not isinstance(shown, _Trouble):
        try:
            return screen.drawn(part.template, shown=shown, **values)
        except Exception as error:  # noqa: BLE001  the same for its template
            shown = _fault(part, error)
    return screen.drawn("trouble.html", sentence=shown.sentence, **values)


def _fault(part: PagePart, error: Exception) -> _Trouble:
    _log.error("The part %s failed", part.key, exc_info=error)
    return _Trouble()
