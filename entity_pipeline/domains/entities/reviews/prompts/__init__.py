"""The prompts, each in a file with its version, and their pure rendering.

The account's JSON object escapes braces as ``\\u007B`` and ``\\u007D``, so that the first ``{...}`` with the key
`username` is the account, and nothing inside a bio can pretend to be another.
"""

import json
from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.gemini.prompt_file import (
    Prompt,
    check_delimiter,
    filled,
    one_object,
    read_prompt,
    without,
)
from entity_pipeline.core.text.plain_text import one_line, visible

REVIEW = "instagram_account_review"
REPAIR = "instagram_account_repair"

_TEXT_FACTS = {"username": 60, "display_name": 120, "bio": 500, "known": 600}  # characters kept
_LIST_FACTS = {"external_urls": (5, 200), "post_captions": (3, 300)}  # texts kept, and characters of each
_REPLY_HEAD = 2_000
_REPLY_TAIL = 4_000


def template(name: str) -> Prompt:
    """The prompt file `name` with its placeholders unfilled."""
    return read_prompt(__name__, name)


def review_prompt(account_facts: Mapping[str, Any], delimiter: str) -> Prompt:
    """The grounded review of one account.

    `account_facts` may hold username, display_name, bio, external_urls, is_verified, follower_count, tagged_in_posts,
    post_captions (of posts that tag it) and known (what people of the catalog wrote); other keys are not sent.
    `delimiter` is fresh random lower-case hex, such as ``secrets.token_hex(16)``, and is removed from the content if
    it occurs there.

    Raises:
        ValueError: the delimiter is not 32 to 64 lower-case hex digits.
    """
    return _filled(REVIEW, delimiter, {"account": account_json(account_facts, delimiter)})


def repair_prompt(account_facts: Mapping[str, Any], previous_reply: str, delimiter: str) -> Prompt:
    """The prompt without search that only corrects the form of a reply whose JSON could not be read."""
    account = account_json(account_facts, delimiter)
    reply = previous_reply
    if len(reply) > _REPLY_HEAD + _REPLY_TAIL:
        reply = f"{reply[:_REPLY_HEAD]}\n[...]\n{reply[-_REPLY_TAIL:]}"
    lines = (without(visible(line), delimiter) for line in reply.splitlines())
    # As a JSON string, so that an object inside the reply is not an object in the prompt.
    encoded = json.dumps("\n".join(lines), ensure_ascii=False)
    return _filled(REPAIR, delimiter, {"account": account, "previous_reply": encoded})


def account_json(facts: Mapping[str, Any], delimiter: str) -> str:
    """The facts as one line of JSON, username first, cleaned and capped; unknown facts are left out.

    Raises:
        ValueError: the delimiter is not 32 to 64 lower-case hex digits.
    """
    check_delimiter(delimiter)
    shown: dict[str, Any] = {}
    for key, limit in _TEXT_FACTS.items():
        value = facts.get(key)
        if isinstance(value, str) and (text := without(one_line(value, limit), delimiter)):
            shown[key] = text
    for key, (most, length) in _LIST_FACTS.items():
        texts = facts.get(key)
        if isinstance(texts, list | tuple):
            cleaned = (without(one_line(text, length), delimiter) for text in texts if isinstance(text, str))
            if kept := [text for text in cleaned if text][:most]:
                shown[key] = kept
    if isinstance(facts.get("is_verified"), bool):
        shown["is_verified"] = facts["is_verified"]
    for key in ("follower_count", "tagged_in_posts"):
        if isinstance(facts.get(key), int) and not isinstance(facts[key], bool):
            shown[key] = facts[key]
    return one_object(shown)


def _filled(name: str, delimiter: str, content: Mapping[str, str]) -> Prompt:
    return filled(template(name), {**content, "delimiter": delimiter})
