import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.text.handles import (
    Rejection,
    Username,
    handle_or_none,
    normalise_username,
)

HANDLES = [
    line
    for line in (Path(__file__).parents[2] / "data" / "yardstick_handles.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
USERNAME = re.compile(r"(?!.*\.\.)(?!\.)[a-z0-9_.]{1,30}(?<!\.)")

ACCEPTED = [
    ("nike", "nike"),
    ("Nike", "nike"),
    ("a", "a"),
    ("_", "_"),
    ("_nike_", "_nike_"),
    ("2ne1.official_", "2ne1.official_"),
    ("save.co", "save.co"),
    ("supre_instagram", "supre_instagram"),
    ("a" * 30, "a" * 30),
    ("@nike", "nike"),
    ("@@NIKE", "nike"),
    (" \t@nike\n", "nike"),
    ("\u3000nike\u00a0", "nike"),
    ("nike,", "nike"),
    ("nike.", "nike"),
    ("nike!?", "nike"),
    ("nike;:", "nike"),
    ("(@nike)", "nike"),
    ('"nike"', "nike"),
    ("nike、", "nike"),
    ("nike。", "nike"),
    ("「nike」", "nike"),
    ("ｎｉｋｅ", "nike"),
    ("＠ＮＩＫＥ＿ｌａｂ", "nike_lab"),
    ("ni\u200bke", "nike"),
    ("\u202enike\u202c", "nike"),
    ("\u2066@nike\u2069", "nike"),
    ("\ufeffnike", "nike"),
    ("nike\ufe0f", "nike"),
    ("ni\u00adke", "nike"),
    ("@\u200bnike", "nike"),
    ("instagram.com/nike", "nike"),
    ("instagram.com/nike/", "nike"),
    ("www.instagram.com/nike", "nike"),
    ("m.instagram.com/nike", "nike"),
    ("http://instagram.com/nike", "nike"),
    ("https://www.instagram.com/Nike/", "nike"),
    ("HTTPS://WWW.INSTAGRAM.COM/NIKE", "nike"),
    ("https://www.instagram.com/nike/?igsh=MzRlODBiNWFlZA==", "nike"),
    ("https://www.instagram.com/nike?hl=ko#about", "nike"),
    ("https://instagram.com:443/nike", "nike"),
    ("https://www.instagram.com/nike/p/Cx1", "nike"),
    ("https://www.instagram.com/nike/reels/", "nike"),
    ("https://instagram.com//nike", "nike"),
    ("//instagram.com/nike", "nike"),
    ("<https://instagram.com/nike>", "nike"),
    ("instagram.com/@nike", "nike"),
    ("instagr.am/nike", "nike"),
    ("https://www.instagr.am/nike/", "nike"),
    ("instagram.com/_u/nike", "nike"),
    ("instagram.com/_u/nike/", "nike"),
    ("_u/nike", "nike"),
    ("instagram.com/stories/nike/", "nike"),
    ("https://www.instagram.com/stories/nike/3141592653589/", "nike"),
    ("stories/nike/", "nike"),
    ("/nike/", "nike"),
    ("ｉｎｓｔａｇｒａｍ．ｃｏｍ／ｎｉｋｅ", "nike"),
    ("instagram.com/ni\u200bke", "nike"),
    ("share", "share"),
]

REFUSED = [
    ("", Rejection.EMPTY),
    ("   ", Rejection.EMPTY),
    ("@", Rejection.EMPTY),
    ("...", Rejection.EMPTY),
    ("\u200b", Rejection.EMPTY),
    ("instagram.com", Rejection.EMPTY),
    ("https://www.instagram.com/", Rejection.EMPTY),
    ("https://instagram.com/?hl=ko", Rejection.EMPTY),
    ("a" * 31, Rejection.TOO_LONG),
    ("instagram.com/" + "a" * 31, Rejection.TOO_LONG),
    ("a" * 1_000_000, Rejection.TOO_LONG),
    (".nike", Rejection.BAD_DOTS),
    ("ni..ke", Rejection.BAD_DOTS),
    ("ni-ke", Rejection.BAD_CHARACTER),
    ("ni ke", Rejection.BAD_CHARACTER),
    ("nike, adidas", Rejection.BAD_CHARACTER),
    ("nike@adidas", Rejection.BAD_CHARACTER),
    ("#nike", Rejection.BAD_CHARACTER),
    ("nike's", Rejection.BAD_CHARACTER),
    ("nike…", Rejection.BAD_CHARACTER),
    ("nike/adidas", Rejection.BAD_CHARACTER),
    ("instagram.com/%6eike", Rejection.BAD_CHARACTER),
    ("ni\x00ke", Rejection.BAD_CHARACTER),
    ("나이키", Rejection.BAD_CHARACTER),
    ("nike😀", Rejection.BAD_CHARACTER),
    ("\ud800", Rejection.BAD_CHARACTER),
    ("ſelf", Rejection.LOOK_ALIKE),
    ("\u212aith", Rejection.LOOK_ALIKE),  # Kelvin sign
    ("instagram.com/\u212aith", Rejection.LOOK_ALIKE),
    ("nіke", Rejection.LOOK_ALIKE),  # Cyrillic i
    ("νike", Rejection.LOOK_ALIKE),  # Greek nu
    ("nıke", Rejection.LOOK_ALIKE),  # dotless i
    ("İnike", Rejection.LOOK_ALIKE),
    ("café", Rejection.LOOK_ALIKE),
    ("cafe\u0301", Rejection.LOOK_ALIKE),
    ("𝐧𝐢𝐤𝐞", Rejection.LOOK_ALIKE),
    ("nike²", Rejection.LOOK_ALIKE),
    ("ﬁla", Rejection.LOOK_ALIKE),
    ("p", Rejection.RESERVED_PATH),
    ("Explore", Rejection.RESERVED_PATH),
    ("p/Cx1y2", Rejection.RESERVED_PATH),
    ("instagram.com/p/Cx1y2/", Rejection.RESERVED_PATH),
    ("instagram.com/reel/Cx1y2/", Rejection.RESERVED_PATH),
    ("instagram.com/reels/", Rejection.RESERVED_PATH),
    ("instagram.com/tv/Cx1y2/", Rejection.RESERVED_PATH),
    ("instagram.com/explore/tags/nike/", Rejection.RESERVED_PATH),
    ("instagram.com/accounts/login/?next=/nike/", Rejection.RESERVED_PATH),
    ("instagram.com/direct/inbox/", Rejection.RESERVED_PATH),
    ("instagram.com/stories/", Rejection.RESERVED_PATH),
    ("instagram.com/stories/highlights/123/", Rejection.RESERVED_PATH),
    ("instagram.com/_u/explore", Rejection.RESERVED_PATH),
    ("instagram.com/share/reel/abc", Rejection.RESERVED_PATH),
    ("https://nike.com", Rejection.FOREIGN_HOST),
    ("nike.com/shop", Rejection.FOREIGN_HOST),
    ("tiktok.com/@nike", Rejection.FOREIGN_HOST),
    ("https://instagram.com.evil.example/nike", Rejection.FOREIGN_HOST),
    ("https://evil.example/instagram.com/nike", Rejection.FOREIGN_HOST),
    ("https://instagram.com@evil.example/nike", Rejection.FOREIGN_HOST),
    ("https://instagram.com:8080/nike", Rejection.FOREIGN_HOST),
    ("https://instаgram.com/nike", Rejection.FOREIGN_HOST),  # Cyrillic a in the host
    ("//evil.example/nike", Rejection.FOREIGN_HOST),
    ("ftp://instagram.com/nike", Rejection.FOREIGN_HOST),
    ("javascript://instagram.com/nike", Rejection.FOREIGN_HOST),
    ("https://help.instagram.com/nike", Rejection.FOREIGN_HOST),
    (None, Rejection.NOT_A_STRING),
    (7, Rejection.NOT_A_STRING),
    (b"nike", Rejection.NOT_A_STRING),
    (["nike"], Rejection.NOT_A_STRING),
    ({"username": "nike"}, Rejection.NOT_A_STRING),
]


@pytest.mark.parametrize(("raw", "username"), ACCEPTED)
def test_a_spelling_of_an_account_becomes_its_username(raw: str, username: str) -> None:
    assert normalise_username(raw) == username
    assert handle_or_none(raw) == username


@pytest.mark.parametrize(("raw", "reason"), REFUSED)
def test_text_that_is_not_an_account_is_refused_with_the_reason(raw: object, reason: Rejection) -> None:
    assert normalise_username(raw) is reason
    assert handle_or_none(raw) is None


def test_a_reason_can_not_pass_for_a_username() -> None:
    assert not any(isinstance(reason, str) for reason in Rejection)


def test_a_string_of_another_class_counts_as_its_text() -> None:
    class Spelling(StrEnum):
        NIKE = "@Nike"

    found = normalise_username(Spelling.NIKE)
    assert found == "nike"
    assert type(found) is str


def test_an_object_that_misbehaves_just_counts_as_not_a_string() -> None:
    class Hostile:
        @property
        def __class__(self) -> type:  # type: ignore[override]
            raise RuntimeError

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    assert normalise_username(Hostile()) is Rejection.NOT_A_STRING


def test_every_public_handle_of_the_reference_list_survives() -> None:
    assert len(HANDLES) > 5_000
    assert [handle for handle in HANDLES if normalise_username(handle) != handle] == []


@given(handle=st.sampled_from(HANDLES), data=st.data())
def test_a_handle_survives_every_way_of_writing_it(handle: str, data: st.DataObject) -> None:
    spellings: list[str] = [
        handle.upper(),
        f"@{handle}",
        f" {handle}, ",
        f"https://www.instagram.com/{handle}/?hl=en",
        f"instagr.am/{handle}",
        f"instagram.com/_u/{handle}",
        f"https://m.instagram.com/stories/{handle}/123",
        "".join(chr(ord(letter) + 0xFEE0) for letter in handle),
        "\u200b".join(handle),
    ]
    assert normalise_username(data.draw(st.sampled_from(spellings))) == handle


_PIECES = st.sampled_from(
    "nike @ . .. _ / // https:// instagram.com instagr.am evil.example _u stories p ? # : \\ "
    "ſ \u212a ｎ ／ а é 한".split()
)
_TEXTS = (
    st.text()
    | st.lists(_PIECES | st.sampled_from(" \u200b\ud800")).map("".join)
    | st.text(alphabet="abZ019_.@/: ?#ſКｎ\u200b")
)
_OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | _TEXTS,
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(raw=_OBJECTS)
def test_any_object_becomes_a_valid_username_or_a_reason_and_never_raises(raw: object) -> None:
    found = normalise_username(raw)
    assert isinstance(found, Rejection) or USERNAME.fullmatch(found)


@given(raw=_TEXTS)
def test_a_username_is_its_own_normalised_form(raw: str) -> None:
    found = normalise_username(raw)
    assert isinstance(found, Rejection) or normalise_username(found) == found


@given(raw=_TEXTS)
def test_no_letter_is_guessed(raw: str) -> None:
    def letters() -> Iterator[str]:
        for character in raw:
            ascii_form = chr(ord(character) - 0xFEE0) if "！" <= character <= "～" else character
            yield ascii_form.lower() if ascii_form.isascii() else ""

    found = normalise_username(raw)
    assert isinstance(found, Rejection) or found in "".join(letters())


def test_a_username_is_a_plain_string_to_all_other_code() -> None:
    assert type(Username("nike")) is str
