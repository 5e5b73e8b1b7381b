"""What the ledger keeps of a request: always its settings; its texts in plain, encrypted or not at all.

The texts hold public profiles, which are personal data. They are encrypted with the keys of GEMINI_REQUEST_KEYS,
which are separate from those of Instagram's sessions so that reading requests does not allow logging in. How long they
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
    """Writes and reads the value of the column `request`.

    Args:
        keys: Fernet keys, comma-separated: the first one encrypts, all of them decrypt. Without keys, texts that should
            be encrypted are left out.

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
        # Compressed first, because encrypted text can't be compressed and the instructions are the same each time.
        packed = zlib.compress(jsonb_text(request.texts()).encode())
        return {**settings, "sealed": self._fernet.encrypt(packed).decode("ascii")}

    def opened(self, kept: Mapping[str, Any]) -> Mapping[str, Any]:
        """A stored request with its texts, if there are any.

        Raises:
            ConfigurationFailure: no key decrypts it.
        """
        from cryptography.fernet import InvalidToken

        if "sealed" not in kept:
            return kept
        if self._fernet is None:
            raise ConfigurationFailure(
                f"This request is encrypted: set {VARIABLE} to the key it was encrypted with."
            )
        try:
            texts = json.loads(zlib.decompress(self._fernet.decrypt(str(kept["sealed"]).encode())))
        except (InvalidToken, zlib.error, ValueError):
            raise ConfigurationFailure(f"No key of {VARIABLE} decrypts this request.") from None
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
