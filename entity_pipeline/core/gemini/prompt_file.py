"""Prompts in files with a version, and untrusted text in them. What a prompt says belongs beside its file.

A file has a line with its version, a system part and a user part. The user part holds placeholders such as
``{{account}}``, which are filled in one pass, so that a placeholder in other people's text is not filled in turn.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

_DELIMITER = re.compile(r"[0-9a-f]{32,64}")
_FILE = re.compile(
    r'---\nversion: "(?P<version>[^"\n]+)"\n---\n'
    r"<!-- system -->\n(?P<system>.+)\n<!-- user -->\n(?P<user>.+)",
    re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: the system instruction, the user text, and the version of the file of both."""

    system: str
    text: str
    version: str


@cache
def read_prompt(package: str, name: str) -> Prompt:
    """The prompt file `name` of a package with its placeholders unfilled.

    Raises:
        ValueError: the file lacks its version or one of its two parts.
    """
    source = resources.files(package).joinpath(f"{name}.md").read_text(encoding="utf-8")
    match = _FILE.fullmatch(source.strip())
    if match is None:
        raise ValueError(f"Prompt file {name}.md needs a version line, then a system part and a user part.")
    return Prompt(match["system"].strip(), match["user"].strip(), match["version"])


def filled(base: Prompt, content: Mapping[str, str]) -> Prompt:
    """The prompt with every placeholder filled."""
    return Prompt(base.system, _PLACEHOLDER.sub(lambda match: content[match[1]], base.text), base.version)


def check_delimiter(delimiter: str) -> None:
    """Refuse what could be guessed or occur in a text.

    Raises:
        ValueError: the delimiter is not 32 to 64 lower-case hex digits.
    """
    if _DELIMITER.fullmatch(delimiter) is None:
        raise ValueError("The delimiter must be 32 to 64 lower-case hex digits; use secrets.token_hex(16).")


def without(text: str, delimiter: str) -> str:
    """The text without the delimiter, also where removing it would form it anew."""
    while delimiter in text:
        text = text.replace(delimiter, "")
    return text


def one_object(shown: Mapping[str, Any]) -> str:
    """The facts as one line of JSON whose inner braces are escaped.

    The first ``{...}`` is the object, and nothing inside its texts can pretend to be another.
    """
    encoded = json.dumps(shown, ensure_ascii=False)
    return "{" + encoded[1:-1].replace("{", "\\u007B").replace("}", "\\u007D") + "}"
