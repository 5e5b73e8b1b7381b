"""Pictures over a real socket, and the addresses that are never connected to."""

import struct
import time
import zlib
from io import BytesIO

import pytest
from PIL import Image

from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.resources.instagram.operations.picture import fetch_picture
from entity_pipeline.sandbox.loopback_http import Reply
from entity_pipeline_tests.resources.instagram.page_server import DRIPS, dripping, redirect, serving

HOST = "https://scontent-1.cdninstagram.com"


def image(kind: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (20, 20), "teal").save(out, kind)
    return out.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    ihdr = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + ihdr + struct.pack(">I", 1_000) + b"IDAT" + bytes(1_000)


@pytest.mark.parametrize(
    ("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_a_picture_is_taken_and_named_after_its_bytes(kind: str, content_type: str) -> None:
    data = image(kind)
    with serving({"/p.jpg": Reply(200, data, "text/plain")}) as server:
        got = fetch_picture(f"{HOST}/p.jpg?oh=1&oe=2", base_url=server.url)
    assert got.value is not None
    assert (got.value.data, got.value.content_type, len(got.value.sha256)) == (data, content_type, 64)
    request = server.requests[0]
    assert (request.host, request.query) == ("scontent-1.cdninstagram.com", {"oh": ["1"], "oe": ["2"]})
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(403, b"URL signature expired"), "expired"),
        (Reply(410), "expired"),
        (Reply(404), "missing"),
        (Reply(429), "rate_limited"),
        (Reply(503), "http_503"),
        (redirect("http://127.0.0.1/secret"), "redirect"),
        (Reply(200, b"<html>picture</html>", "image/jpeg"), "not_an_image"),
        (Reply(200, b"", "image/jpeg"), "empty"),
        (Reply(200, b"GIF89a" + b"x" * 50, "image/jpeg"), "not_an_image"),
        (Reply(200, image("JPEG")[:200], "image/jpeg"), "not_an_image"),
        (Reply(200, b"\xff\xd8\xff<?xml version='1.0'?><svg/>", "image/jpeg"), "not_an_image"),
        (Reply(200, image("PNG")[:-10] + b"0123456789", "image/png"), "not_an_image"),
        (Reply(200, png_that_claims(5_000, 5_000), "image/png"), "too_many_pixels"),
        (Reply(200, png_that_claims(60_000, 60_000), "image/png"), "too_many_pixels"),
        (Reply(200, b"\xff\xd8\xff" + b"x" * 5_000_000, "image/jpeg"), "too_large"),
        (Reply(drop=True), "transport"),
        (Reply(200, image("PNG"), after_s=1.5), "timeout"),
    ],
)
def test_anything_but_a_picture_is_refused_with_its_reason(reply: Reply, reason: str) -> None:
    with serving({"/p": reply}) as server:
        assert fetch_picture(f"{HOST}/p", base_url=server.url, timeout_s=1).detail == reason
    assert server.paths == ["/p"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://x.cdninstagram.com/p", "bad_url"),
        ("https://x.cdninstagram.com:8443/p", "bad_url"),
        ("https://x.cdninstagram.com:99999/p", "bad_url"),
        ("https://user@x.cdninstagram.com/p", "bad_url"),
        ("https://evil.example\\@x.cdninstagram.com/p", "bad_url"),
        ("https://x.cdninstagram.com/a b", "bad_url"),
        ("https://x.cdninstagram.com/\r\nHost: evil", "bad_url"),
        ("https://x.cdnınstagram.com/p", "bad_url"),
        ("https://[::1", "bad_url"),
        ("ftp://x.cdninstagram.com/p", "bad_url"),
        ("", "bad_url"),
        ("https://cdninstagram.com/p", "host_refused"),
        ("https://evilcdninstagram.com/p", "host_refused"),
        ("https://x.cdninstagram.com.evil.example/p", "host_refused"),
        ("https://x.cdninstagram.com./p", "host_refused"),
        ("https://127.0.0.1/p", "host_refused"),
        ("https://2130706433/p", "host_refused"),
        ("https://0x7f.1/p", "host_refused"),
        ("https://[::ffff:127.0.0.1]/p", "host_refused"),
        ("https://169.254.169.254/latest/meta-data/", "host_refused"),
        ("data:image/png;base64,AAAA", "bad_url"),
        ("javascript:alert(1)", "bad_url"),
        ("https://www.instagram.com/p", "host_refused"),
    ],
)
def test_an_address_that_is_not_a_picture_host_is_never_asked(url: str, reason: str) -> None:
    with serving({}) as server:
        assert fetch_picture(url, base_url=server.url).detail == reason
    assert server.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "::127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "fec0::1",
        "5f00::1",
    ],
)
def test_a_name_that_leads_into_our_own_network_is_refused(address: str) -> None:
    answered = ["157.240.1.1", address]
    assert fetch_picture(f"{HOST}/p", resolve=lambda _: answered).detail == "private_address"


def test_a_picture_of_a_hundred_scans_is_not_decoded() -> None:
    out = BytesIO()
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(out, "JPEG", progressive=True)
    data = out.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    with serving(
        {"/few": Reply(200, data), "/many": Reply(200, data[:-2] + scan * 500 + b"\xff\xd9")}
    ) as server:
        assert fetch_picture(f"{HOST}/few", base_url=server.url).value is not None
        refused = fetch_picture(f"{HOST}/many", base_url=server.url)
    assert (refused.value, refused.detail) == (None, "too_many_scans")


@pytest.mark.parametrize("answered", [["2a03:2880:f1ff:83:face:b00c:0:25de"], ["::ffff:157.240.1.1"]])
def test_a_public_address_of_either_family_is_connected_to(
    answered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def no_connection(address: object, *_: object, **__: object) -> None:
        asked.append(address)
        raise OSError("refused")

    monkeypatch.setattr("urllib3.util.connection.create_connection", no_connection)
    assert fetch_picture(f"{HOST}/p", resolve=lambda _: answered).detail == "transport"
    assert len(asked) == 1


@pytest.mark.parametrize("answered", [[], ["not an address"]])
def test_a_name_that_does_not_resolve_is_refused(answered: list[str]) -> None:
    assert fetch_picture(f"{HOST}/p", resolve=lambda _: answered).detail == "unresolved"


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def no_connection(address: tuple[str, int], *_: object, **__: object) -> None:
        asked.append(address)
        raise OSError("refused")

    monkeypatch.setattr("urllib3.util.connection.create_connection", no_connection)
    refused = fetch_picture(f"{HOST}/p", resolve=lambda _: ["157.240.1.1"])
    assert (refused.value, refused.detail) == (None, "transport")
    assert asked == [("157.240.1.1", 443)]


@pytest.mark.parametrize(("head", "drop"), DRIPS)
def test_an_answer_that_drips_is_given_up_on_in_time(head: bytes, drop: bytes) -> None:
    began = time.monotonic()
    with dripping(head, drop) as url:
        assert fetch_picture(f"{HOST}/p", base_url=url, timeout_s=0.3).detail == "timeout"
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("status", "word", "finding", "seat"),
    [
        (403, "expired", "refused", "ok"),
        (404, "missing", "not_found", "ok"),
        (429, "rate_limited", "unanswered", "rate_limited"),
        (503, "http_503", "unanswered", "upstream"),
        (418, "http_418", "refused", "ok"),
    ],
)
def test_faults_of_the_picture_and_of_its_server_are_distinguished(
    status: int, word: str, finding: str, seat: str
) -> None:
    with serving({"/p": Reply(status)}) as server:
        got = fetch_picture(f"{HOST}/p", base_url=server.url)
    assert (got.finding, got.seat, got.detail) == (Finding(finding), SeatOutcome(seat), word)
