"""Which columns of `instagram_accounts` a profile may fill, and with which text. Pure.

People win: a value that a person wrote, edited or cleared is never changed.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.text.plain_text import visible
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.profiles.logic.stored_backfill import read_stored

_LONGEST = {"display_name": 200, "bio": 2_200, "profile_image_url": 2_048}
# Emoji and several scripts need joiners and variation selectors; a bio has several lines.
_KEPT = frozenset("\n\u200c\u200d\ufe0e\ufe0f")
_LINE_ENDS = re.compile(r"\r\n|[\r\u2028\u2029]")
_BLANKS = re.compile(r" +")


def fields_to_write(
    account: Account,
    profile: InstagramProfile,
    previous: Mapping[str, Any] | None,
    image_url: str | None = None,
) -> dict[str, str]:
    """Columns to write, with their values; empty when there is nothing to do.

    A column is filled when it is empty and we never wrote it, or replaced when it still holds our last value.
    Anything else is a person's edit, including a cleared value. Nothing is ever emptied, and nothing is taken from a
    reassigned name. `image_url` is the public URL of the stored picture, because Instagram's URL expires.
    """
    if is_reassigned(previous, profile):
        return {}
    offered = {
        "display_name": visible_text(profile.display_name, _LONGEST["display_name"]),
        "bio": visible_text(profile.bio, _LONGEST["bio"]),
        "profile_image_url": visible_text(image_url, _LONGEST["profile_image_url"]),
    }
    current = {name: getattr(account, name) for name in offered}
    return {
        name: value
        for name, value in offered.items()
        if value and value != current[name] and is_ours_to_write(name, current[name], previous)
    }


def is_reassigned(previous: Mapping[str, Any] | None, profile: InstagramProfile) -> bool:
    """Whether the name now belongs to a different account than the one whose `pk` is stored."""
    known = read_stored(previous)["instagram_id"]
    return known is not None and known != profile.instagram_id


def is_ours_to_write(column: str, current: str | None, previous: Mapping[str, Any] | None) -> bool:
    """Whether `current` is empty and was never written by us, or is unchanged since we wrote it."""
    written = read_stored(previous)["fields_written"].get(column)
    if written is None:
        return not (current or "").strip()
    return fingerprint(current or "") == written


def fingerprint(value: str) -> str:
    """Lower-case hex SHA-256 of the text in UTF-8."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def visible_text(text: str | None, longest: int) -> str | None:
    """The visible text with its lines, without control, zero-width and direction characters.

    At most `longest` characters; None when nothing is visible.
    """
    lines = _LINE_ENDS.sub("\n", unicodedata.normalize("NFC", (text or "")[: longest * 8]))
    kept = "".join(character if character in _KEPT else visible(character) for character in lines)
    shown = _BLANKS.sub(" ", kept).strip()[:longest].rstrip()
    return shown if visible(shown).strip() else None
