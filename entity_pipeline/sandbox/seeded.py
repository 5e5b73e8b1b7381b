"""Numbers that look random but are the same on every machine, day and run."""

import hashlib


def seeded_int(*parts: object) -> int:
    """A 64-bit number that depends only on `parts`."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def seeded_share(*parts: object) -> float:
    """A number in [0, 1) that depends only on `parts`."""
    return seeded_int(*parts) / 2**64
