"""The top-level keys by which Instagram reports refusals in a JSON answer. Pure.

Nothing else of a body is examined, because it holds bios and captions that strangers write.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_GUARD = "for (;;);"  # precedes the JSON of some answers, so that no page can run them as a script
_MOST_ERRORS = 20
_LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Said:
    """The keys that are judged. Texts are in lower case; a key of another type reads as absent."""

    status: str = ""
    message: str = ""
    error_type: str = ""
    errors: tuple[str, ...] = ()
    checkpoint_url: str = ""
    require_login: bool = False
    spam: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """All texts that can name a refusal. `message` does not count in an answer whose status is "ok"."""
        own = () if self.status == "ok" else (self.message,)
        return (*own, self.error_type, *self.errors)


def said(body: str) -> Said | None:
    """The keys of a JSON object; None when the body is not one."""
    try:
        value = json.loads(body.lstrip().removeprefix(_GUARD))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return Said(
        status=_text(value.get("status")),
        message=_text(value.get("message")),
        error_type=_text(value.get("error_type")),
        errors=tuple(_errors(value.get("errors"))),
        checkpoint_url=_text(value.get("checkpoint_url")),
        require_login=value.get("require_login") is True,
        spam=value.get("spam") is True,
    )


def _errors(value: Any) -> list[str]:
    """The texts of `errors`, a list of texts or of objects with a `message` and a `summary`."""
    if not isinstance(value, list):
        return []
    found: list[str] = []
    for error in value[:_MOST_ERRORS]:
        if isinstance(error, Mapping):
            found += [_text(error.get("message")), _text(error.get("summary"))]
        else:
            found.append(_text(error))
    return [text for text in found if text]


def _text(value: Any) -> str:
    return value[:_LONGEST_WORDS].strip().lower() if isinstance(value, str) else ""
