"""The operation `picture`: download one picture that a profile or a post names."""

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from entity_pipeline.core.instagram.operations import Operation

_LONGEST_TARGET = 300


@dataclass(frozen=True, slots=True)
class Picture:
    """A verified image: `content_type` comes from the bytes, `sha256` is lower-case hex of them."""

    data: bytes
    content_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PictureDownload(Operation[Picture]):
    """Download the picture at `url`, an address that strangers may have written.

    When there is no picture, `Result.detail` is a word: ``expired``, ``missing``, ``too_large``, ``not_an_image``, ...
    """

    name: ClassVar[str] = "picture"
    url: str

    @property
    def target(self) -> str:
        """The path of the address, without the signature in its query."""
        try:
            return urlsplit(self.url).path[:_LONGEST_TARGET]
        except (ValueError, AttributeError):
            return ""
