"""What the ledger keeps of a request: its settings always, its texts open, sealed or not at all.

The texts hold public profiles, which are personal data. They are sealed with the keys of GEMINI_REQUEST_KEYS, apart
from those of Instagram's sessions on purpose: to read what was asked is no reason to be able to log in. How long they
are kept is in docs/scaling.md (Pruning).
"""

import json
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.gemini.request import Request
from entity_pipeline.core.gemini.settings import KeepRequests
from entity_pipeline.core.jsonb import jsonb_text

VARIABLE = "GEMINI_REQUEST_KEYS"


class RequestKeeper:
    """Makes and opens what the column `request` holds.

    Args:
        keys: Fernet keys, comma-separated: the first one seals, all of them open. Without keys, texts that should be
            sealed are left out.

    Raises:
        ConfigurationFailure: a key is malformed.
    """

    def __init__(self, keys: str | None) -> None:
        self._fernet = _fernet(keys or "")

    def kept(self, request: Request, how: KeepRequests) -> Mapping[str, Any]:
        """What to store of a request."""
        settings = request.settings()
        if how == "full":
            return {**settings, **request.texts()}
        if how == "none" or self._fernet is None:
            return settings
        # What is encrypted can't be compressed any more, and the instructions are the same each time.
        packed = zlib.compress(jsonb_text(request.texts()).encode())
        return {**settings, "sealed": self._fernet.encrypt(packed).decode("ascii")}

    def opened(self, kept: Mapping[str, Any]) -> Mapping[str, Any]:
        """A stored request with its texts, if there are any.

        Raises:
            ConfigurationFailure: no key opens it.
        """
        from cryptography.fernet import InvalidToken

        if "sealed" not in kept:
            return kept
        if self._fernet is None:
            raise ConfigurationFailure(
                f"This request is sealed: set {VARIABLE} to the key it was sealed with."
            )
        try:
            texts = json.loads(zlib.decompress(self._fernet.decrypt(str(kept["sealed"]).encode())))
        except (InvalidToken, zlib.error, ValueError):
            raise ConfigurationFailure(f"No key of {VARIABLE} opens this request.") from None
        return {**{name: value for name, value in kept.items() if name != "sealed"}, **texts}


@cache
def _fernet(keys: str) -> Any:
    from cryptography.fernet import Fernet, MultiFernet

    found = [key.strip() for key in keys.split(",") if key.strip()]
    try:
        return MultiFernet([Fernet(key) for key in found]) if found else None
    except ValueError:
        raise ConfigurationFailure(
            f"{VARIABLE} holds a malformed key: make one with `python -c "
            "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`."
        ) from None
