"""Sessions from files: both kinds of cookie export, and Instaloader's pickle without unpickling."""

import io
import json
import os
import pickle
import pickletools
import re
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.resources.instagram.session_files import (
    LARGEST_FILE,
    read_cookie_export,
    read_instaloader_session,
)

SESSION = {"csrftoken": "c", "sessionid": "1%3As3cret%3A2", "ds_user_id": "1"}
NOW = 1_800_000_000.0
LATER = NOW + 1_000


def cookie(name: str, value: Any, domain: Any = ".instagram.com", **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "domain": domain, "path": "/", "secure": True, **more}


def as_json(*cookies: Any) -> bytes:
    return json.dumps(cookies).encode()


def line(name: str, value: str, domain: str = ".instagram.com", ends_at: float = LATER) -> str:
    return "\t".join([domain, "TRUE", "/", "TRUE", f"{ends_at:.0f}", name, value])


def as_lines(*lines: str) -> bytes:
    return "\n".join(["# Netscape HTTP Cookie File", "# comment\twith\ta\ttab", "", *lines]).encode()


def test_the_json_of_an_extension_is_read() -> None:
    export = as_json(*(cookie(*item, expirationDate=LATER + 0.5) for item in SESSION.items()))
    assert read_cookie_export(export, NOW) == SESSION
    assert read_cookie_export(b"\xef\xbb\xbf\n" + export, NOW) == SESSION
    assert read_cookie_export(b'{"cookies": ' + export + b"}", NOW) == SESSION


def test_a_cookies_txt_is_read_with_its_http_only_cookies() -> None:
    lines = [line(*item) for item in SESSION.items()]
    lines[1] = "#HttpOnly_" + lines[1]
    assert read_cookie_export(as_lines(*lines), NOW) == SESSION
    assert read_cookie_export(as_lines(*lines).replace(b"\n", b"\r\n"), NOW) == SESSION


@pytest.mark.parametrize(
    ("domain", "is_kept"),
    [
        (".instagram.com", True),
        ("instagram.com", True),
        ("www.instagram.com", True),
        (".WWW.Instagram.com", True),
        ("notinstagram.com", False),
        ("instagram.com.evil.example", False),
        (".facebook.com", False),
        ("", False),
    ],
)
def test_only_cookies_of_instagram_are_kept(domain: str, is_kept: bool) -> None:
    expected = {"a": "1"} if is_kept else {}
    assert read_cookie_export(as_json(cookie("a", "1", domain)), NOW) == expected
    assert read_cookie_export(as_lines(line("a", "1", domain)), NOW) == expected


@pytest.mark.parametrize(
    ("ends_at", "is_kept"),
    [(LATER, True), (NOW, False), (NOW - 1, False), (0, True), (-1, True), (None, True), ("soon", True)],
)
def test_an_expired_cookie_is_left_out(ends_at: Any, is_kept: bool) -> None:
    found = read_cookie_export(as_json(cookie("a", "1", expirationDate=ends_at)), NOW)
    assert found == ({"a": "1"} if is_kept else {})


def test_the_cookie_of_the_whole_site_wins_over_that_of_a_part() -> None:
    whole, part = cookie("csrftoken", "whole"), cookie("csrftoken", "part", "i.instagram.com")
    assert read_cookie_export(as_json(whole, part), NOW) == {"csrftoken": "whole"}
    assert read_cookie_export(as_json(part, whole), NOW) == {"csrftoken": "whole"}


@pytest.mark.parametrize(
    "bad",
    [
        cookie("a", "x\r\nHost: evil"),
        cookie("a;b", "x"),
        cookie("a", "a;b"),
        cookie("a", "젠"),
        cookie("a", 1),
    ],
)
def test_a_value_that_can_not_be_in_a_header_is_left_out(bad: dict[str, Any]) -> None:
    assert read_cookie_export(as_json(bad, cookie("b", "1")), NOW) == {"b": "1"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"[",
        b"[1]",
        b"{}",
        b'{"cookies": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        pickle.dumps(SESSION),
        b" " * (LARGEST_FILE + 1),
    ],
    ids=lambda data: f"{data[:8]!r}{len(data)}",
)
def test_anything_but_an_export_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(InputRejected, match=r"^The file .*\.$"):
        read_cookie_export(data, NOW)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@example(b'[{"domain": "instagram.com", "name": "a", "value": "b", "expirationDate": 1e999}]')
@example(b'[{"domain": "instagram.com", "name": "a", "value": "b", "expirationDate": ' + b"9" * 400 + b"}]")
def test_no_bytes_break_the_reading_of_exports(data: bytes) -> None:
    try:
        found = read_cookie_export(data, NOW)
    except InputRejected:
        return
    assert all(value.isascii() for value in found.values())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@given(
    more=st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.from_regex(r"[!-:<-~]{1,9}", fullmatch=True)
    )
)
def test_a_session_file_of_any_protocol_is_read(protocol: int, more: dict[str, str]) -> None:
    session = {**SESSION, **more, "again": SESSION["ds_user_id"]}
    assert read_instaloader_session(pickle.dumps(session, protocol)) == session


def test_the_file_that_instaloader_itself_writes_is_read(tmp_path: Path) -> None:
    from instaloader import InstaloaderContext

    context = InstaloaderContext(quiet=True)
    context.load_session("ours", SESSION)
    with (tmp_path / "session-ours").open("wb") as file:
        context.save_session_to_file(file)
    context.close()
    assert read_instaloader_session((tmp_path / "session-ours").read_bytes()) == SESSION


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


class Built:
    """Has a state that unpickling would set."""

    def __init__(self) -> None:
        self.state = "x"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    for evil in (Attack(marker), {**SESSION, "x": Attack(marker)}, {Attack(marker): "x"}):
        with pytest.raises(InputRejected, match="could run code"):
            read_instaloader_session(pickle.dumps(evil, protocol))
    assert not marker.exists()


@pytest.mark.parametrize(
    "content",
    [
        *({"a": value} for value in (1, None, True, b"x", 1.5, ["x"], ("x",), {"b": "c"})),
        *({key: "a"} for key in (1, None, b"x", ("x",))),
        *([SESSION], "text", None, 7, Built(), {"a": Built()}, subprocess.run, {"a": frozenset("x")}),
    ],
    ids=lambda content: re.sub(r" (object )?at 0x[0-9a-f]+", "", repr(content)),
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_but_a_flat_object_of_texts_is_refused(content: Any, protocol: int) -> None:
    with pytest.raises(InputRejected, match=r"^The file is not a plain Instaloader session.*\.$"):
        read_instaloader_session(pickle.dumps(content, protocol))


_PLAIN = frozenset(
    "PROTO FRAME STOP EMPTY_DICT MARK DICT UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 PUT BINPUT LONG_BINPUT "
    "GET BINGET LONG_BINGET MEMOIZE SETITEM SETITEMS".split()
)


@pytest.mark.parametrize("code", [op.code for op in pickletools.opcodes if op.name not in _PLAIN], ids=repr)
def test_every_other_instruction_is_refused(code: str) -> None:
    with pytest.raises(InputRejected):
        read_instaloader_session(b"}" + code.encode("latin-1") + b"1\n1\n" + b"\0" * 8 + b".")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"}",
        b"}}.",
        b"(.",
        b"}(.",
        b"}s.",
        b"u.",
        b"h\x05.",
        b"}(X\x01\x00\x00\x00au.",
        pickle.dumps(SESSION)[:-1],
        pickle.dumps(SESSION) + b"x",
        b"\x8d" + b"\xff" * 8,
        b"}" + b"q\x00h\x00s.",
        b"c\\\nname\n.",
        b" " * (LARGEST_FILE + 1),
    ],
    ids=lambda data: f"{data[:8]!r}{len(data)}",
)
def test_what_is_cut_off_or_malformed_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(InputRejected, match=r"^The file .*\.$"):
        read_instaloader_session(data)


class Inert(pickle.Unpickler):
    """The real machine, with every name refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise AssertionError(f"an accepted file names {module}.{name}")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(pickle.dumps(SESSION, draw(st.integers(0, 5))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


@given(st.binary(max_size=200) | damaged())
def test_an_accepted_file_has_the_value_that_pickle_would_load(data: bytes) -> None:
    try:
        found = read_instaloader_session(data)
    except InputRejected:
        return
    try:
        meant = Inert(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ValueError):
        return
    assert found.items() <= meant.items()
