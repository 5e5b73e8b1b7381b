"""The hashes by which two reviews of an account are the same paid question.

How often an account is tagged, how many followers it has and what people wrote of it are shown to the model but are
left out of the hash on purpose: they change, and a new count must not pay for the same answer again.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SCHEMA_VERSION = "2"  # of the JSON block and of `Review`; raise it when either changes its meaning

_HASHED_FACTS = ("username", "display_name", "bio", "external_urls", "is_verified")


def input_hash(
    facts: Mapping[str, Any], prompt_version: str, schema_version: str, model: str, config: Mapping[str, Any]
) -> str:
    """sha256 (lower-case hex) of the profile snapshot and of everything `config_hash` covers.

    An absent fact, a null one and an empty one are the same. `config` holds the generation settings sent.
    """
    snapshot = {key: facts[key] for key in _HASHED_FACTS if facts.get(key) not in (None, "", [], ())}
    return _digest({"facts": snapshot, "config": config_hash(prompt_version, schema_version, model, config)})


def config_hash(prompt_version: str, schema_version: str, model: str, config: Mapping[str, Any]) -> str:
    """sha256 (lower-case hex) of the inputs that all accounts of a run share: prompt, schema, model, settings."""
    return _digest(
        {
            "prompt_version": prompt_version,
            "schema_version": schema_version,
            "model": model,
            "config": dict(config),
        }
    )


def _digest(value: Mapping[str, Any]) -> str:
    # ensure_ascii: a lone surrogate in a bio must not break the encoding.
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
