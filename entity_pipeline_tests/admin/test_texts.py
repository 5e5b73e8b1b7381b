"""The texts: both languages are complete, and every value, setting and part of the pages has one."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from entity_pipeline.admin.app import shell_for
from entity_pipeline.admin.home_parts import home_parts
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.parts import every_part
from entity_pipeline.admin.setting_rows import settings_places
from entity_pipeline.admin.settings_form import fields_of, without_field
from entity_pipeline.admin.shell import Shell
from entity_pipeline.admin.texts import (
    LANGUAGES,
    SHELL,
    Texts,
    catalogue,
    language_of,
    placeholders,
    texts_of,
    visible,
)
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.reasons import Language, Reason
from entity_pipeline_tests.admin.installations import CONFIGURATION


@pytest.fixture
def shell(installation: Installation) -> Shell:
    return shell_for(DOMAINS, installation, CONFIGURATION)


def packages(shell: Shell) -> Iterator[str]:
    yield SHELL
    yield from (mounted.page.package for mounted in shell.pages)


def test_both_languages_have_the_same_keys_and_placeholders(shell: Shell) -> None:
    for package in packages(shell):
        english, korean = catalogue(package, "en"), catalogue(package, "ko")
        assert set(english) == set(korean), package
        assert {key: placeholders(text) for key, text in english.items()} == {
            key: placeholders(text) for key, text in korean.items()
        }, package


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_setting_and_row_has_its_texts(shell: Shell, language: Language) -> None:
    missing = []
    for mounted in shell.pages:
        t = texts_of(language, mounted.page.package)
        wanted = ["title", "about", "n_waiting", "n_waiting.one"]
        wanted += [part.title + more for part in every_part(mounted.page.parts()) for more in ("", ".away")]
        missing += [f"{mounted.key} {key}" for key in wanted if t.known(key) is None]
    t = texts_of(language)
    missing += [
        part.title + more
        for part in every_part(home_parts(shell))
        for more in ("", ".away")
        if t.known(part.title + more) is None
    ]
    for place in settings_places(shell):
        t = texts_of(language, place.mounted.page.package if place.mounted else None)
        prefix = "setting." if place.mounted else f"setting.{place.name}."
        names = [field.name for field in fields_of(place.model)] + list(without_field(place.model))
        wanted = [f"{prefix}{name}{more}" for name in names for more in ("", ".hint")]
        wanted += [] if place.mounted else [f"row.{place.name}", f"row.{place.name}.about"]
        missing += [f"{place.name} {key}" for key in wanted if t.known(key) is None]
    assert missing == []


def test_a_key_of_the_shell_is_not_used_for_something_else_by_a_page(shell: Shell) -> None:
    for mounted in shell.pages:
        both = set(catalogue(SHELL, "en")) & set(catalogue(mounted.page.package, "en"))
        assert both == set(), mounted.key


@pytest.mark.parametrize("language", LANGUAGES)
def test_korean_texts_are_korean(shell: Shell, language: Language) -> None:
    for package in packages(shell):
        for key, text in catalogue(package, language).items():
            has_korean = any("가" <= letter <= "힣" for letter in text)
            words = re.sub(r"\{.*?\}|`.*?`", "", text)
            letters = sum(letter.isascii() and letter.isalpha() for letter in words)
            if language == "en":
                assert not has_korean, key
            elif letters > 12:
                assert has_korean, key


def test_one_item_has_its_own_singular_text() -> None:
    t = texts_of("en")
    assert [t.count("n_requests", n) for n in (0, 1, 1_234)] == ["0 requests", "1 request", "1,234 requests"]


def test_days_and_instants_are_written_as_each_language_does() -> None:
    english, korean = Texts("en"), Texts("ko")
    day, at = date(2026, 3, 5), datetime(2026, 11, 21, 8, 5, tzinfo=UTC)
    assert (english.day(day), korean.day(day)) == ("Mar 5, 2026", "2026년 3월 5일")
    pacific = at.astimezone(ZoneInfo("America/Los_Angeles"))
    assert english.moment(pacific) == "Nov 21, 2026, 00:05 PST"
    assert korean.moment(at) == "2026년 11월 21일 08:05 UTC"


def test_a_reason_is_worded_in_the_readers_language_and_by_the_page_where_it_has_words_of_its_own() -> None:
    slow = Reason(SHELL, "dagster_slow", {"seconds": 3})
    assert "within 3 s" in Texts("en").reason(slow)
    assert "3초" in Texts("ko").reason(slow)
    off = Reason("entity_pipeline.core", "switched_off", {"row": "x", "name": "x"})
    assert Texts("ko").reason(off) == "꺼져 있습니다."


@pytest.mark.parametrize(
    ("query", "cookie", "header", "language"),
    [
        ("", "", "", "en"),
        ("", "", "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("", "", "de, en;q=0.5, ko;q=0.7", "ko"),
        ("", "", "ko;q=x;;;,", "ko"),
        ("", "ko", "en", "ko"),
        ("lang=en", "ko", "ko", "en"),
        ("lang=xx", "xx", "fr", "en"),
    ],
)
def test_the_language_comes_from_the_address_then_the_cookie_then_the_browser(
    query: str, cookie: str, header: str, language: str
) -> None:
    headers = [(b"cookie", f"admin_language={cookie}".encode()), (b"accept-language", header.encode())]
    scope = {"type": "http", "headers": headers, "query_string": query.encode(), "method": "GET", "path": "/"}
    assert language_of(Request(scope)) == language


def test_invisible_characters_are_written_out() -> None:
    assert visible("acme\u200b\u202e.shop") == "acme[U+200B][U+202E].shop"
    assert visible("앰버로우") == "앰버로우"
