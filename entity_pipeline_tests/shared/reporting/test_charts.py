"""Pictures are well-formed and small, and show only what they were given, whatever the names contain."""

from base64 import b64decode
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest

from entity_pipeline.shared.reporting.charts import (
    AMBER,
    BLUE,
    as_image,
    bars_by_name,
    columns_by_day,
    faces,
)

SVG = "{http://www.w3.org/2000/svg}"
FIRST = date(2026, 10, 1)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).findall(f"{SVG}text")]


def column_heights(svg: str) -> list[float]:
    path = ElementTree.fromstring(svg).findall(f"{SVG}path")[0].attrib["d"]
    return [float(part.split("h")[0]) for part in path.split("v-")[1:]]


def test_columns_stand_in_proportion_and_an_empty_day_has_none() -> None:
    svg = columns_by_day(
        "Prompts", [(FIRST + timedelta(days=nth), value) for nth, value in enumerate((50, 0, 25))]
    )
    tall, half = column_heights(svg)
    assert half == pytest.approx(tall / 2, abs=0.1)
    assert texts(svg) == ["Prompts", "2026-10-01", "2026-10-03: 25"]


def test_the_cap_is_a_line_above_the_columns_with_its_value() -> None:
    svg = columns_by_day("Prompts", [(FIRST, 725)], 1_450)
    (height,) = column_heights(svg)
    _, ground, cap = ElementTree.fromstring(svg).findall(f"{SVG}path")
    bottom, top = (float(line.attrib["d"].split()[1].split("H")[0]) for line in (ground, cap))
    assert height == pytest.approx((bottom - top) / 2, abs=0.5)
    assert "cap 1,450" in texts(svg)


@pytest.mark.parametrize("values", [[], [0.0, 0.0]], ids=["no day", "nothing used"])
def test_without_values_nothing_is_drawn(values: list[float]) -> None:
    svg = columns_by_day(
        "USD", [(FIRST + timedelta(days=nth), value) for nth, value in enumerate(values)], 0.0
    )
    assert column_heights(svg) == []


def test_one_request_among_thousands_is_still_seen() -> None:
    svg = columns_by_day("Prompts", [(FIRST, 1), (FIRST + timedelta(days=1), 100_000)])
    assert column_heights(svg)[0] > 1


def test_bars_keep_their_order_and_carry_their_counts() -> None:
    svg = bars_by_name("Decisions", [("created", 200, BLUE), ("held", 1_000, AMBER), ("undone", 0, AMBER)])
    widths = [float(bar.attrib["width"]) for bar in ElementTree.fromstring(svg).findall(f"{SVG}rect")[1:]]
    assert texts(svg) == ["Decisions", "created", "200", "held", "1,000", "undone", "0"]
    assert widths[0] == pytest.approx(widths[1] / 5, abs=1)
    assert widths[2] == 0


def test_markup_in_a_name_is_shown_and_not_obeyed() -> None:
    svg = bars_by_name("</svg><script>alert(1)</script>", [('"><image href="http://evil"/>', 1, BLUE)])
    drawn = ElementTree.fromstring(svg)
    assert {element.tag for element in drawn.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "rect", "text")
    }
    assert texts(svg)[1] == '"><image href="http://evil"/>'


def test_the_image_is_markdown_that_holds_the_picture() -> None:
    svg = columns_by_day("가나다", [(FIRST, 1)])
    alt, _, encoded = as_image(svg, "a [picture](x)").partition("](data:image/svg+xml;base64,")
    assert alt == "![a \\[picture\\]\\(x\\)"
    assert b64decode(encoded.removesuffix(")")).decode() == svg


def test_a_month_of_full_columns_stays_under_three_kilobytes() -> None:
    days = [(FIRST + timedelta(days=nth), 1_450.0 - nth) for nth in range(30)]
    assert len(as_image(columns_by_day("Grounded prompts a Pacific day", days, 1_450), "30 days")) < 3_000


def test_faces_stand_in_rows_under_their_handles() -> None:
    shown = faces({f"some_one{nth}": f"http://bucket/{nth}.jpg" for nth in range(4)}, across=3)
    assert shown.splitlines() == [
        "| some\\_one0 | some\\_one1 | some\\_one2 |",
        "| --- | --- | --- |",
        "| ![some\\_one0](http://bucket/0.jpg) | ![some\\_one1](http://bucket/1.jpg) "
        "| ![some\\_one2](http://bucket/2.jpg) |",
        "| some\\_one3 |  |  |",
        "| ![some\\_one3](http://bucket/3.jpg) |  |  |",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://bucket/a.jpg) ![x](http://evil",
        "http://bucket/a b.jpg",
        "//bucket/a.jpg",
        "http://[",
        "",
    ],
)
def test_an_address_that_is_not_a_plain_web_address_is_left_out(address: str) -> None:
    assert faces({"prada": address}) == ""
