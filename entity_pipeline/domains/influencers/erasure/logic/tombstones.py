"""Hashes under which `erased_people` knows a person: of the numeric id and of the username, never the values."""

from hashlib import sha256

from entity_pipeline.domains.influencers.models import PLATFORM


def hashes(pk: int | None, username: str | None) -> tuple[str, ...]:
    """The hash of the id, then that of the username, which is in lower case; one that is None is left out."""
    named = (("pk", pk), ("username", username))
    return tuple(
        sha256(f"{PLATFORM}:{kind}:{value}".encode()).hexdigest()
        for kind, value in named
        if value is not None
    )
