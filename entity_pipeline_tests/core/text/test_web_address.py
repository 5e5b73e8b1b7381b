"""What counts as a web address."""

import pytest

from entity_pipeline.core.text.web_address import address_parts, origin, web_address


@pytest.mark.parametrize(
    "text", ["https://a.example", "http://127.0.0.1:8000/x?y=1#z", "https://[::1]:3000/"]
)
def test_an_address_with_a_host_is_a_web_address(text: str) -> None:
    assert web_address(text) == text


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.example",
        "javascript:alert(1)",
        "ftp://a.example",
        "https://",
        "https:///x",
        "http://[::1",
        None,
        7,
        "https://a.example:0",
        "https://a.example:x",
        "https://a.example/a b",
        "https://a.example/\n",
    ],
)
def test_anything_else_is_not_a_web_address(value: object) -> None:
    assert web_address(value) is None


def test_another_scheme_can_be_allowed() -> None:
    assert address_parts("smtp://mail.example:25", ("smtp", "smtps")) is not None
    assert address_parts("https://mail.example", ("smtp", "smtps")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("https://a.example/x", "https://a.example"), ("http://[::1]:8/x", "http://[::1]:8")],
)
def test_an_origin_is_what_a_browser_compares(text: str, expected: str) -> None:
    parts = address_parts(text)
    assert parts is not None
    assert origin(parts) == expected
