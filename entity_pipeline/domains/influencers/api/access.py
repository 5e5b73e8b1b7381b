"""Access to the API: one key in `Authorization: Bearer`, and a limit on wrong ones.

The key opens the queue and nothing else, and the token of the administration page does not open it: the programs that
name people are not those that change settings.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import HTTPException, Request
from fastapi.security import HTTPBearer

from entity_pipeline.admin.access import Tries, address_of
from entity_pipeline.admin.configuration import LOOPBACK_NAMES, SHORTEST_TOKEN, served_hosts

KEY_VARIABLE = "SCRAPER_API_KEY"

BEARER = HTTPBearer(auto_error=False, scheme_name="ScraperApiKey", description=KEY_VARIABLE)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="influencers"'}


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The key that callers send, None for none, and the names that the server answers to."""

    key: str | None = field(default=None, repr=False)
    hosts: frozenset[str] = LOOPBACK_NAMES

    @property
    def problem(self) -> str | None:
        """Why the key can't be used, as a sentence; None if it can."""
        if not self.key:
            return (
                f"{KEY_VARIABLE} is not set on this server, so only /api/health answers: set it to a long random "
                "text, for example the output of `openssl rand -base64 32`."
            )
        if len(self.key) < SHORTEST_TOKEN or not self.key.isascii() or not self.key.isprintable():
            return (
                f"{KEY_VARIABLE} of this server can't be used: it must be at least {SHORTEST_TOKEN} printable ASCII "
                "characters."
            )
        return None


def api_settings(environment: Mapping[str, str] = os.environ) -> ApiSettings:
    """The key in SCRAPER_API_KEY and the names in ADMIN_HOSTS."""
    return ApiSettings(environment.get("SCRAPER_API_KEY", "").strip() or None, served_hosts(environment))


class ApiAccess:
    """The access of one server. Failed attempts are counted in memory: a restart forgets them."""

    def __init__(self, settings: ApiSettings, tries: Tries | None = None) -> None:
        self._problem = settings.problem
        self._digest = _digest(settings.key or "")
        self._tries = tries or Tries()

    def verify_api_key(self, request: Request) -> None:
        """A dependency. Raises 503 without a usable key here, 401 for a missing or wrong one, or `TooManyTries`."""
        if self._problem is not None:
            raise HTTPException(503, self._problem)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise HTTPException(401, f"Send the key: Authorization: Bearer {KEY_VARIABLE}.", _CHALLENGE)
        address = address_of(request)
        self._tries.check(address)
        if not hmac.compare_digest(_digest(given.strip()), self._digest):
            self._tries.failed(address)
            raise HTTPException(401, "The key is wrong.", _CHALLENGE)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
