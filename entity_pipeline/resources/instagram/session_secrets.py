"""Secrets of the pool: session cookies and proxy addresses, as MultiFernet texts. For people's files see
`session_files.py`.

Instaloader's own session files are pickles, which run code when they are loaded; cookies are JSON here. The
first key encrypts, every key decrypts, so a new key is put in front and the old one stays until everything is
re-encrypted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.resources.instagram.seats import Seat

REQUIRED_COOKIES = frozenset({"csrftoken", "sessionid", "ds_user_id"})
_HOW = (
    "make one with `python -c "
    "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
)


class SecretUnreadable(ConfigurationFailure):
    """A stored secret can't be decrypted with the configured keys, or has unexpected content."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The account and route of a request, with decrypted secrets; must never be logged."""

    account: str | None = None
    cookies: Mapping[str, str] | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Identity(account={self.account!r})"


class SessionSecrets:
    """Encrypts and decrypts the pool's secrets with the keys of INSTAGRAM_SESSION_KEYS (comma separated).

    Raises:
        ConfigurationFailure: a key is malformed.
        SecretUnreadable: raised by the methods when there is no key or none fits.
    """

    def __init__(self, session_keys: str | None) -> None:
        from cryptography.fernet import Fernet, MultiFernet

        keys = [key.strip() for key in (session_keys or "").split(",") if key.strip()]
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError:
            raise ConfigurationFailure(f"INSTAGRAM_SESSION_KEYS holds a malformed key: {_HOW}.") from None

    def seal(self, secret: str) -> str:
        """Encrypt a text."""
        return str(self._keys().encrypt(secret.encode()), "ascii")

    def open(self, sealed: str) -> str:
        """Decrypt a text."""
        from cryptography.fernet import InvalidToken

        try:
            return str(self._keys().decrypt(sealed.encode()), "utf-8")
        except (InvalidToken, UnicodeDecodeError):
            raise SecretUnreadable("No key of INSTAGRAM_SESSION_KEYS decrypts this secret.") from None

    def identity(self, seat: Seat) -> Identity:
        """The seat's account with its secrets decrypted."""
        return Identity(
            account=seat.account,
            cookies=self.open_cookies(seat.session_secret) if seat.session_secret else None,
            proxy=self.open(seat.proxy_secret) if seat.proxy_secret else None,
        )

    def seal_cookies(self, cookies: Mapping[str, str]) -> str:
        """Encrypt the cookies of a logged-in session; raises `SecretUnreadable` when a required one is missing."""
        return self.seal(json.dumps(_checked(dict(cookies))))

    def open_cookies(self, sealed: str) -> dict[str, str]:
        """Decrypt session cookies and check that the required ones are present."""
        try:
            return _checked(json.loads(self.open(sealed)))
        except ValueError:
            raise SecretUnreadable("The stored session is not JSON: log in again.") from None

    def _keys(self) -> Any:
        if self._fernet is None:
            raise SecretUnreadable(f"INSTAGRAM_SESSION_KEYS is not set: {_HOW}.")
        return self._fernet


def _checked(cookies: Any) -> dict[str, str]:
    if not isinstance(cookies, dict) or not all(
        isinstance(k, str) and isinstance(v, str) for k, v in cookies.items()
    ):
        raise SecretUnreadable("A session must be an object of cookie names and values.")
    missing = sorted(name for name in REQUIRED_COOKIES if not cookies.get(name))
    if missing:
        raise SecretUnreadable(f"The session lacks the cookie {', '.join(missing)}: log in again.")
    return cookies
