"""Stored objects: the port to the bucket, and how objects are named. What a prefix means belongs to its domain.

A key is derived from the content: the same bytes have the same key, so storing them twice is harmless and a changed
picture is a new object.
"""

import re
from dataclasses import dataclass
from typing import Protocol

_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the bucket. `url` is its public address, `sha256` the lower-case hex hash of its bytes."""

    key: str
    url: str
    sha256: str
    bytes: int
    content_type: str


class ObjectStore(Protocol):
    """Public objects by content; implemented by `resources/r2.py`.

    Every method raises one of these. A `ConfigurationFailure` concerns every object, so trying the next one is
    useless.

    Raises:
        NotConfigured: there is no object store.
        ConfigurationFailure: the bucket is missing or refuses us, or a variable is wrong.
        ObjectRefused: the store takes other objects, but not this one.
        TransientFailure: the store can't be reached, is overloaded or broken.
    """

    def put(self, prefix: str, data: bytes, content_type: str) -> StoredObject:
        """Store the bytes under `object_key`, unless they are there already."""

    def get(self, key: str) -> bytes | None:
        """The bytes of an object; None when there is no such object."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is not a failure."""


def object_key(prefix: str, sha256: str, content_type: str) -> str:
    """``<prefix>/<first two of the hash>/<hash>.<extension>``.

    Raises:
        ValueError: the prefix is not made of lower-case words, the hash is not one, or the type has no extension here.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"not a prefix of keys: {prefix!r}")
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not a SHA-256 in lower-case hex")
    if content_type not in _EXTENSIONS:
        raise ValueError(f"objects of the type {content_type!r} have no extension")
    return f"{prefix}/{sha256[:2]}/{sha256}.{_EXTENSIONS[content_type]}"
