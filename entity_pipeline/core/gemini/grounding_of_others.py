"""Whether a row of `gemini_usage_events` that another pipeline wrote stands for a grounded request.

Other pipelines may leave `grounded` at its default, false, and Google counts their searches nevertheless. The cap adds
them up in SQL (`entity_pipeline_says_grounded`); this is the same rule, and a test holds the two equal.
"""

import re
from collections.abc import Mapping
from typing import Any

_SEARCH = re.compile("google_?search", re.IGNORECASE)
_NEVER_SEARCHES = ("embedding", "imagen", "veo", "-tts")


def says_grounded(
    model: str | None, search_queries: int | None, tool_tokens: int | None, metadata: Mapping[str, Any]
) -> bool | None:
    """True or False by what the row says; None for a doubtful row, which says nothing.

    Tokens of a tool count as a search: which tool it was is not recorded.
    """
    if (search_queries or 0) > 0 or (tool_tokens or 0) > 0:
        return True
    stated = str(metadata.get("grounded")).lower()
    if stated in ("true", "false"):
        return stated == "true"
    tools = metadata.get("tools")
    if isinstance(tools, list | dict | str):
        return bool(_SEARCH.search(str(tools)))
    if search_queries == 0 or any(part in (model or "") for part in _NEVER_SEARCHES):
        return False
    return None
