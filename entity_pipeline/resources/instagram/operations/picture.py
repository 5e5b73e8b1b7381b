"""`PictureDownload`: one picture from an address that a stranger's page gave us. Never raises.

Instagram is not trusted to name only its own servers: only the path of the address is used. The connection goes to the
very IP address that was checked, so a name that resolves differently a moment later has no effect.
"""

import hashlib
import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from entity_pipeline.core.deadlines import within
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.picture import Picture, PictureDownload
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.resources.instagram.handlers import OpenHandler

if TYPE_CHECKING:
    import urllib3

PICTURE_DOMAINS = (".cdninstagram.com", ".fbcdn.net")
LARGEST_PICTURE = 5_000_000  # bytes
MOST_PIXELS = 16_000_000
TIMEOUT_S = 20.0
_FORMATS = {b"\xff\xd8\xff": ("JPEG", "image/jpeg"), b"\x89PNG\r\n\x1a\n": ("PNG", "image/png")}
MOST_SCANS = 100
# Everything else is special, including IPv6 forms of an IPv4 address (``64:ff9b::10.0.0.1``, ``::10.0.0.1``).
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
_BY_STATUS = {403: "expired", 404: "missing", 410: "expired", 429: "rate_limited"}
# Words with another meaning than "our rules refuse the picture".
_UNANSWERED = {
    "rate_limited": SeatOutcome.LIMITED,
    "timeout": SeatOutcome.TRANSPORT,
    "transport": SeatOutcome.TRANSPORT,
    "unresolved": SeatOutcome.TRANSPORT,
}


class _Refused(Exception):
    """Ends the download with a word; never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Target:
    host: str
    path: str  # with the query, exactly as signed


def fetch_picture(
    url: str,
    *,
    base_url: str | None = None,
    timeout_s: float = TIMEOUT_S,
    resolve: Callable[[str], Sequence[str]] | None = None,
) -> Result[Picture]:
    """Download and verify one picture; without one, `detail` is the word that says why.

    Args:
        url: As the profile page gave it.
        base_url: A local server that takes the connection in place of the picture's host.
        timeout_s: Seconds for the whole download.
        resolve: From host name to IP addresses; the system's resolver by default.
    """
    try:
        target = _target(url)
        data = within(timeout_s, lambda: _download(target, base_url, timeout_s, resolve or _resolve))
        picture = Picture(data, verified_type(data), hashlib.sha256(data).hexdigest())
        return Result(Finding.FOUND, picture)
    except _Refused as refusal:
        return _without_picture(str(refusal))
    except TimeoutError:
        return _without_picture("timeout")


def _without_picture(word: str) -> Result[Picture]:
    if word == "missing":
        return Result(Finding.NOT_FOUND, detail=word)
    seat = SeatOutcome.UPSTREAM if word.startswith("http_5") else _UNANSWERED.get(word)
    if seat is not None:
        return Result(Finding.UNANSWERED, seat=seat, detail=word)
    return Result(Finding.REFUSED, detail=word)


def _target(url: str) -> _Target:
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _Refused("bad_url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _Refused("bad_url") from None
    if parts.scheme != "https" or port not in (None, 443) or "@" in parts.netloc:
        raise _Refused("bad_url")
    if not host.endswith(PICTURE_DOMAINS):
        raise _Refused("host_refused")
    return _Target(host, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _resolve(host: str) -> Sequence[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)]


def _public_address(host: str, resolve: Callable[[str], Sequence[str]]) -> str:
    try:
        found = [ipaddress.ip_address(address.partition("%")[0]) for address in resolve(host)]
    except (OSError, ValueError):
        raise _Refused("unresolved") from None
    if not found:
        raise _Refused("unresolved")
    for address in found:
        inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        embeds = isinstance(inner, ipaddress.IPv6Address) and inner not in _PUBLIC_IPV6
        if embeds or not inner.is_global or inner.is_multicast or not address.is_global:
            raise _Refused("private_address")
    return str(found[0])


def _download(
    target: _Target, base_url: str | None, timeout_s: float, resolve: Callable[[str], Sequence[str]]
) -> bytes:
    import urllib3

    ends_at = time.monotonic() + timeout_s
    pool = _pool(target.host, base_url, timeout_s, resolve)
    try:
        answer = pool.urlopen(
            "GET",
            target.path,
            headers={"Host": target.host, "Accept": "image/*", "User-Agent": "Mozilla/5.0"},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            _check_status(answer.status)
            return _body(answer, ends_at)
        finally:
            answer.close()  # a body that is not read to its end keeps its connection
    except urllib3.exceptions.NewConnectionError:  # a subclass of urllib3's timeouts
        raise _Refused("transport") from None
    except urllib3.exceptions.TimeoutError:
        raise _Refused("timeout") from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        raise _Refused("transport") from None
    finally:
        pool.close()


def _pool(
    host: str, base_url: str | None, timeout_s: float, resolve: Callable[[str], Sequence[str]]
) -> "urllib3.HTTPConnectionPool":
    import urllib3

    if base_url:
        return urllib3.connection_from_url(base_url, timeout=timeout_s)
    import certifi

    return urllib3.HTTPSConnectionPool(
        _public_address(host, resolve),
        443,
        timeout=timeout_s,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
        server_hostname=host,
        assert_hostname=host,
    )


def _check_status(status: int) -> None:
    if 300 <= status < 400:
        raise _Refused("redirect")
    if status != 200:
        raise _Refused(_BY_STATUS.get(status, f"http_{status}"))


def _body(answer: "urllib3.BaseHTTPResponse", ends_at: float) -> bytes:
    body = bytearray()
    while chunk := answer.read1(65_536):
        body += chunk
        if len(body) > LARGEST_PICTURE:
            raise _Refused("too_large")
        if time.monotonic() > ends_at:
            raise _Refused("timeout")
    return bytes(body)


def verified_type(data: bytes) -> str:
    """The media type by the first bytes, once Pillow has read the whole image as that type, or a refusal."""
    if not data:
        raise _Refused("empty")
    kind, media_type = _by_magic(data)
    if kind == "JPEG" and data.count(b"\xff\xda") > MOST_SCANS:
        # Each scan of a few bytes is painted over the whole picture; a real one has about ten.
        raise _Refused("too_many_scans")
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=[kind]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _Refused("too_many_pixels")
            image.load()
    except _Refused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _Refused("too_many_pixels") from None
    except Exception:  # noqa: BLE001 - Pillow's parsers raise many kinds on bytes made to break them
        raise _Refused("not_an_image") from None
    return media_type


def _by_magic(data: bytes) -> tuple[str, str]:
    for magic, found in _FORMATS.items():
        if data.startswith(magic):
            return found
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP", "image/webp"
    raise _Refused("not_an_image")


def _host(download: PictureDownload) -> str | None:
    try:
        return _target(download.url).host
    except _Refused:
        return None


def _fetch(download: PictureDownload, base_url: str | None) -> Result[Picture]:
    return fetch_picture(download.url, base_url=base_url)


HANDLER = OpenHandler(host=_host, fetch=_fetch)
