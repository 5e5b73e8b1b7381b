"""The prompt about a blog, in a file with its version, and its rendering."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from entity_pipeline.core.gemini.prompt_file import (
    Prompt,
    check_delimiter,
    filled,
    read_prompt,
)

BLOG = "blog_insights"


def template() -> Prompt:
    """The prompt with its placeholders unfilled."""
    return read_prompt(__name__, BLOG)


def blog_prompt(facts: Mapping[str, Any], topics: Sequence[str], delimiter: str) -> Prompt:
    """The question about one blog.

    `facts` were cleaned of the delimiter (`logic/blog_facts.shown`); `topics` are the names of the categories.

    Raises:
        ValueError: the delimiter is not 32 to 64 lower-case hex digits.
    """
    check_delimiter(delimiter)
    content = {
        "account": json.dumps(facts, ensure_ascii=False),
        "topics": ", ".join(topics),
        "delimiter": delimiter,
    }
    return filled(template(), content)
