"""Access to the page: the token, the signed cookie, the bearer header, and the token that every change carries.

The cookie holds a name, a random session id and nothing secret, signed with a key derived from ADMIN_TOKEN: a new
token ends every session. The name is what the person typed: everyone with the token may type any name, so it says who
claims to have made a change and proves nothing.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import HTTPException, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from entity_pipeline.admin.configuration import AdminConfiguration

SESSION_LASTS_S = 12 * 3600
_LINK_LASTS_S = SESSION_LASTS_S
LONGEST_NAME = 80
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
_WINDOW_S = 300.0
_TRIES_PER_ADDRESS = 5
_TRIES_OVERALL = 30


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person or program that has shown the token. `csrf_token` goes into every form of the page."""

    name: str
    session_id: str
    csrf_token: str


class TooManyTries(Exception):
    """Signing in is closed for a while; `retry_after_s` in seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many attempts to sign in: try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s


class Tries:
    """Failed attempts of the last five minutes, per address and in total. In memory: a restart forgets them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: deque[tuple[float, str]] = deque()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raises `TooManyTries`."""
        with self._lock:
            now = self._clock()
            while self._failed and self._failed[0][0] <= now - _WINDOW_S:
                self._failed.popleft()
            theirs = [at for at, whose in self._failed if whose == address]
            everyones = [at for at, _ in self._failed]
            for times, most in ((theirs, _TRIES_PER_ADDRESS), (everyones, _TRIES_OVERALL)):
                if len(times) >= most:
                    raise TooManyTries(max(int(times[-most] + _WINDOW_S - now) + 1, 1))

    def failed(self, address: str) -> None:
        """Count one wrong token."""
        with self._lock:
            self._failed.append((self._clock(), address))


class Access:
    """Access to one server."""

    def __init__(self, configuration: AdminConfiguration, tries: Tries | None = None) -> None:
        self._configuration = configuration
        self._tries = tries or Tries()
        key = _derived(configuration.token, "session")
        self._signer = URLSafeTimedSerializer(
            key, salt="entity_pipeline.admin", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._csrf_key = _derived(configuration.token, "csrf")
        self._ended: dict[str, float] = {}
        self._links = _link_signer(configuration.token)
        self._used_links: set[str] = set()
        self._lock = threading.Lock()

    @property
    def cookie_name(self) -> str:
        """With TLS the browser itself holds the cookie to this host and path."""
        return "__Host-entity_pipeline" if self._configuration.behind_proxy else "entity_pipeline"

    @property
    def cookie_is_secure(self) -> bool:
        """Behind a proxy the browser speaks TLS; on loopback it does not."""
        return self._configuration.behind_proxy

    def sign_in(self, token: str, name: str, address: str) -> str | None:
        """The cookie's value, or None for a wrong token.

        Raises:
            TooManyTries: this address, or all addresses together, tried too often.
        """
        if not self._is_token(token, address):
            return None
        shown = " ".join("".join(c for c in name if c.isprintable()).split())[:LONGEST_NAME]
        return self._signer.dumps({"name": shown or "unnamed", "id": secrets.token_urlsafe(16)})

    def sign_in_by_link(self, key: str) -> str | None:
        """The cookie's value for the key of a link that `link_key` made, once; None for any other."""
        try:
            content = self._links.loads(key, max_age=_LINK_LASTS_S)
            name, link_id = str(content["name"]), str(content["id"])
        except (BadSignature, KeyError, TypeError):
            return None
        with self._lock:
            if link_id in self._used_links:
                return None
            self._used_links.add(link_id)
        return self._signer.dumps({"name": name, "id": secrets.token_urlsafe(16)})

    def sign_out(self, visitor: Visitor) -> None:
        """End the session until a restart of the server, even for copies of its cookie."""
        now = time.time()
        self._ended = {known: at for known, at in self._ended.items() if at > now - SESSION_LASTS_S}
        self._ended[visitor.session_id] = now

    def session_of(self, request: Request) -> Visitor | None:
        """The visitor of the cookie; None without a valid one."""
        cookie = request.cookies.get(self.cookie_name)
        if not cookie:
            return None
        try:
            content = self._signer.loads(cookie, max_age=SESSION_LASTS_S)
            name, session_id = str(content["name"]), str(content["id"])
        except (BadSignature, KeyError, TypeError):
            return None
        if session_id in self._ended:
            return None
        name = self._name_from_proxy(request) or name
        return Visitor(name, session_id, self._csrf_token(session_id))

    def check_csrf(self, visitor: Visitor, given: str | None) -> None:
        """Raises 403 when the change does not carry the session's token, from `CSRF_FIELD` or `CSRF_HEADER`."""
        if not given or not hmac.compare_digest(given.encode(), visitor.csrf_token.encode()):
            raise HTTPException(403, "This form has expired: load the page again and repeat the change.")

    def bearer(self, request: Request) -> Visitor:
        """The visitor who sends the API's token in `Authorization: Bearer`. Raises 401, or `TooManyTries`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise HTTPException(401, "Send the token: Authorization: Bearer ADMIN_TOKEN.", _CHALLENGE)
        if not self._is_token(token.strip(), address_of(request)):
            raise HTTPException(401, "The token is wrong.", _CHALLENGE)
        return Visitor(self._name_from_proxy(request) or "api", "api", "")

    def _is_token(self, given: str, address: str) -> bool:
        self._tries.check(address)
        right = hmac.compare_digest(_digest(given), _digest(self._configuration.token))
        if not right:
            self._tries.failed(address)
        return right

    def _csrf_token(self, session_id: str) -> str:
        return hmac.new(self._csrf_key, session_id.encode(), hashlib.sha256).hexdigest()

    def _name_from_proxy(self, request: Request) -> str | None:
        header = self._configuration.user_header
        value = request.headers.get(header, "") if header else ""
        return "".join(c for c in value if c.isprintable()).strip()[:LONGEST_NAME] or None


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="entity_pipeline"'}


def address_of(request: Request) -> str:
    """The client's address, as reported by uvicorn or the trusted proxy."""
    return request.client.host if request.client is not None else "unknown"


def access_of(request: Request) -> Access:
    """The access of the server that handles the request."""
    access: Access = request.app.state.access
    return access


def signed_in(request: Request) -> Visitor | None:
    """A dependency for pages: the signed-in visitor, or None, for whom the page redirects to sign in."""
    return access_of(request).session_of(request)


def with_bearer(request: Request) -> Visitor:
    """A dependency for the API."""
    return access_of(request).bearer(request)


def link_key(token: str, name: str) -> str:
    """A key that signs `name` in once, within twelve hours, on the server with this token."""
    signed: str = _link_signer(token).dumps({"name": name, "id": secrets.token_urlsafe(16)})
    return signed


def _link_signer(token: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        _derived(token, "link"), salt="entity_pipeline.admin", signer_kwargs={"digest_method": hashlib.sha256}
    )


def _derived(token: str, purpose: str) -> bytes:
    return hmac.new(token.encode(), f"entity_pipeline.admin.{purpose}".encode(), hashlib.sha256).digest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
