"""Figures as small SVG pictures for the Dagster UI: columns by day, and bars by name.

A picture has its own white background, because the UI shows it as an image that does not follow the light or dark theme
around it. It is kept small, because Dagster stores it with every materialisation.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape

from entity_pipeline.core.text.web_address import address_parts
from entity_pipeline.shared.reporting.geometry import column_boxes, highest_of, part_of

GREEN, AMBER, GREY, BLUE, RED = "#2da44e", "#d4a72c", "#8c959f", "#0969da", "#cf222e"
_INK, _PALE = "#1f2328", "#59636e"
_WIDTH = 720
_CHART_HEIGHT = 180
_TOP, _BOTTOM, _SIDE = 44, 24, 12
_ROW = 22
_LABEL_WIDTH = 260


def columns_by_day(
    title: str, days: Sequence[tuple[date, float]], cap: float | None = None, *, form: str = ",.0f"
) -> str:
    """One column per day, oldest first, with the cap as a line. `form` formats a value, as in `format`."""
    values = [float(value) for _, value in days]
    highest = highest_of(values, cap)
    left, right, top, bottom = _SIDE, _WIDTH - _SIDE, _TOP, _CHART_HEIGHT - _BOTTOM
    wide, high = right - left, bottom - top
    path = "".join(
        f"M{left + wide * box.left:.0f} {bottom}"
        f"v-{high * box.height:.1f}h{wide * box.width:.0f}v{high * box.height:.1f}z"
        for box in column_boxes(values, highest)
        if box.height > 0
    )
    parts = [
        _text(left, 22, title, weight=600),
        f'<path d="{path}" fill="{BLUE}"/>',
        f'<path d="M{left} {bottom}H{right}" stroke="{GREY}"/>',
    ]
    if cap is not None:
        y = bottom - high * part_of(cap, highest)
        parts += [
            f'<path d="M{left} {y:.0f}H{right}" stroke="{RED}" stroke-dasharray="5 4"/>',
            _text(right, y - 5, f"cap {format(cap, form)}", anchor="end", colour=RED),
        ]
    if days:
        (first, _), (last, latest) = days[0], days[-1]
        parts += [
            _text(left, bottom + 16, f"{first}", colour=_PALE),
            _text(right, bottom + 16, f"{last}: {format(latest, form)}", anchor="end", colour=_PALE),
        ]
    return _svg(title, _CHART_HEIGHT, parts)


def bars_by_name(title: str, bars: Sequence[tuple[str, int, str]]) -> str:
    """One bar per row (name, count, colour), in the given order."""
    most = highest_of([count for _, count, _ in bars], None)
    longest = _WIDTH - _LABEL_WIDTH - 80
    parts = [_text(_SIDE, 22, title, weight=600)]
    for nth, (name, count, colour) in enumerate(bars):
        y = _TOP - 8 + nth * _ROW
        width = longest * part_of(count, most)
        parts += [
            _text(_LABEL_WIDTH - 8, y + 13, name, anchor="end"),
            f'<rect x="{_LABEL_WIDTH}" y="{y + 2}" width="{width:.0f}" height="14" rx="2" fill="{colour}"/>',
            _text(_LABEL_WIDTH + width + 6, y + 13, f"{count:,}"),
        ]
    return _svg(title, _TOP + len(bars) * _ROW + 4, parts)


def as_image(svg: str, alt: str) -> str:
    """The picture inside Markdown."""
    return f"![{_plain(alt)}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def faces(pictures: Mapping[str, str], across: int = 6) -> str:
    """Pictures by handle as a Markdown table; anything but a plain web address is left out."""
    shown = [(handle, url) for handle, url in pictures.items() if _fits_markdown(url)]
    if not shown:
        return ""
    lines = []
    for start in range(0, len(shown), across):
        row = shown[start : start + across]
        row += [("", "")] * (min(across, len(shown)) - len(row))
        names = [_plain(handle) for handle, _ in row]
        images = [f"![{_plain(handle)}]({url})" if url else "" for handle, url in row]
        if start == 0:
            lines += [_table_row(names), _table_row(["---"] * len(row)), _table_row(images)]
        else:
            lines += [_table_row(names), _table_row(images)]
    return "\n".join(lines)


def _table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fits_markdown(url: str) -> bool:
    return address_parts(url) is not None and not set(url) & set("()<>[]|\\`\"'")


def _plain(text: str) -> str:
    """Text with Markdown's special characters escaped; in handles only `_` occurs."""
    return "".join(
        f"\\{letter}" if letter in "\\`*_[]()<>|!#~" else letter for letter in text if letter >= " "
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = _INK, weight: int = 400
) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" role="img">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="#fff"/>{"".join(parts)}</svg>'
    )
