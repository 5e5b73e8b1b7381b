"""Why something waits, is held or refused, as a value. Its words are in `texts/{en,ko}.json` of its package.

Code compares by `Reason.key`; only the edge (a Dagster tick, the page, the command) turns it into a sentence with
`sentence`. Sentences of failures (`core/failures.py`) are not reasons: they are written where they are raised, in
English.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
from importlib.resources import files
from typing import Any, Literal

Language = Literal["en", "ko"]


@dataclass(frozen=True, slots=True)
class Reason:
    """`key` names a text of `package`; `values` fill its placeholders (`{used}`, `{at:%H:%M}`).

    A value that is a reason itself, or a tuple of reasons, is put into words of the same language.
    """

    package: str
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """The English sentence."""
        return sentence(self)


def failure_reason(sentence: str) -> Reason:
    """The sentence of a failure, which is English in every language."""
    return Reason("entity_pipeline.core", "failure", {"sentence": sentence})


def joined(reasons: Sequence[Reason]) -> Reason:
    """Several sentences, one after the other; `reasons` must not be empty."""
    return reduce(
        lambda first, then: Reason("entity_pipeline.core", "joined", {"first": first, "then": then}), reasons
    )


def sentence(reason: Reason, language: Language = "en") -> str:
    """The reason in words. A text that is missing in `language` is taken from English.

    Raises:
        KeyError: the package has no text of this key, or the text asks for a value that the reason lacks.
    """
    texts = _texts(reason.package, language)
    text = texts[reason.key] if reason.key in texts else _texts(reason.package, "en")[reason.key]
    return text.format(**{name: _worded(value, language) for name, value in reason.values.items()})


def _worded(value: Any, language: Language) -> Any:
    if isinstance(value, Reason):
        return sentence(value, language)
    if isinstance(value, tuple) and all(isinstance(part, Reason) for part in value):
        return "; ".join(sentence(part, language) for part in value)
    return value


@cache
def _texts(package: str, language: Language) -> Mapping[str, str]:
    """The texts of `reasons` in `<package>/texts/<language>.json`."""
    content = (files(package) / "texts" / f"{language}.json").read_text("utf-8")
    texts: Mapping[str, str] = json.loads(content)["reasons"]
    return texts
