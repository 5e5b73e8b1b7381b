"""`Picture`: a part of a request, and the most tokens that one can cost. Decoding and re-encoding are the caller's."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MediaResolution = Literal["low", "medium", "high"]

# From ai.google.dev/gemini-api/docs/media-resolution, as copied in November 2026. Without a resolution 2.5 models add
# parts of a large picture to the whole ("pan and scan"), up to about 2,048 tokens.
_MOST_TOKENS: Mapping[str, Mapping[MediaResolution | None, int]] = {
    "gemini-2.5": {"low": 66, "medium": 258, "high": 2_306, None: 2_306},
    "gemini-3": {"low": 280, "medium": 560, "high": 1_120, None: 1_120},
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the user's turn, sent inline.

    `read` gives its bytes when they are sent, so that a batch need not hold all of its pictures at once.
    """

    mime_type: str
    sha256: str
    size: int
    read: Callable[[], bytes] = field(repr=False, compare=False)

    @classmethod
    def of(cls, data: bytes, mime_type: str) -> "Picture":
        """A picture that is in memory."""
        return cls(mime_type, hashlib.sha256(data).hexdigest(), len(data), lambda: data)

    def content(self) -> bytes:
        """The bytes.

        Raises:
            ValueError: they are not those that the hash and the size were made of.
        """
        data = self.read()
        if len(data) != self.size or hashlib.sha256(data).hexdigest() != self.sha256:
            raise ValueError(f"the picture {self.sha256[:12]} has changed since its request was made")
        return data

    def mark(self) -> Mapping[str, Any]:
        """What is stored of it."""
        return {"sha256": self.sha256, "size": self.size, "mime_type": self.mime_type}


def most_picture_tokens(model: str, resolution: MediaResolution | None) -> int:
    """The most prompt tokens of one picture; for a generation that is not known, the most of any."""
    known = next((most for name, most in _MOST_TOKENS.items() if model.startswith(name)), None)
    return known[resolution] if known else max(most[resolution] for most in _MOST_TOKENS.values())
