"""JSON text that PostgreSQL accepts. jsonb refuses what JSON allows: NUL characters and lone surrogates."""

import json
import re
from typing import Any

# On text from json.dumps(ensure_ascii=True). Escaped backslashes and whole pairs are matched first to be kept.
_ESCAPES = re.compile(r"(\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u0000|\\ud[89a-f][0-9a-f]{2}")


def jsonb_text(value: Any) -> str:
    """The value as JSON text for a ``::jsonb`` parameter.

    NUL characters and lone surrogates become U+FFFD, NaN and infinities null, anything else that JSON does
    not know its ``str()``.
    """
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
        text = json.dumps(finite, default=str, allow_nan=False)
    return _ESCAPES.sub(lambda match: match[1] or "\\ufffd", text)
