"""From an answer to `AIInsights`: only statements that rest on something that was sent are kept. Pure.

A statement rests on posts of the blog that were sent, or on the profile. A sensitive one must also quote the person:
the words have to be in the text of what it names. Every other statement becomes null, or leaves its list, and is
listed in `dropped` with the reason. Lists and texts are cut here, because the schema that is sent has no bounds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.influencers.insights.logic.ai_insights import (
    GROUPS,
    LONGEST_NOTES,
    LONGEST_WORD,
    MOST_MEMBERS,
    SENSITIVE,
    AIInsights,
    is_list,
)
from entity_pipeline.domains.influencers.insights.logic.wire import BIO, HIGHLIGHTS

NOTES = "notes"
NO_POST = "names_no_post"
UNKNOWN_POST = "names_posts_that_were_not_sent"
NOT_THEIR_WORDS = "does_not_quote_the_person"
TOO_MANY = "too_many"
EMPTY = "empty"

_MOST_MARKS = 20
_MOST_DROPPED = 100
_LONGEST_QUOTE = 300
_LEAST_QUOTE = 2


@dataclass(frozen=True, slots=True)
class Sources:
    """What may be named: the text of each post that was sent by its code, of the profile, and of the highlights.

    `highlights` is None when none were sent.
    """

    posts: Mapping[str, str]
    bio: str
    highlights: str | None = None

    def text(self, mark: str) -> str | None:
        """The text behind a mark; None when nothing of that name was sent."""
        if mark == BIO:
            return self.bio
        return self.highlights if mark == HIGHLIGHTS else self.posts.get(mark)


@dataclass(frozen=True, slots=True)
class Supported:
    """The kept statements.

    `evidence` has by path (``lifestyle.has_pets``, ``notes``) the marks of a value; for a list, by member. `quotes` are
    the words behind sensitive values. Of a sensitive statement that was dropped only the path and the reason are kept.
    """

    insights: AIInsights
    evidence: Mapping[str, Any]
    quotes: Mapping[str, str]
    dropped: Sequence[Mapping[str, Any]]


@dataclass
class _Sieve:
    sources: Sources
    evidence: dict[str, Any] = field(default_factory=dict)
    quotes: dict[str, str] = field(default_factory=dict)
    dropped: list[dict[str, Any]] = field(default_factory=list)

    def value(self, path: str, said: Mapping[str, Any], *, sensitive: bool) -> Any:
        """The value of a single field, or None."""
        value = said["value"]
        if value is None:
            return None
        if isinstance(value, str):
            value = one_line(value, LONGEST_NOTES if path == NOTES else LONGEST_WORD)
        if value == "":
            return self._drop(path, None, EMPTY)
        marks = self._marks(path, said["posts"], None if sensitive else value)
        if marks and sensitive:
            quote = one_line(said["quote"] or "", _LONGEST_QUOTE)
            marks = [mark for mark in marks if _is_in(quote, self.sources.text(mark) or "")]
            if not marks:
                return self._drop(path, None, NOT_THEIR_WORDS)
            self.quotes[path] = quote
        if not marks:
            return None
        self.evidence[path] = marks
        return value

    def members(self, path: str, said: Iterable[Mapping[str, Any]]) -> list[str]:
        """The members of a list that rest on something, each once."""
        kept: dict[str, str] = {}
        for one in said:
            word = one_line(one["value"], LONGEST_WORD)
            if not word:
                self._drop(path, None, EMPTY)
            elif word.casefold() in kept:
                continue
            elif len(kept) >= MOST_MEMBERS:
                self._drop(path, word, TOO_MANY)
            elif marks := self._marks(path, one["posts"], word):
                kept[word.casefold()] = word
                self.evidence.setdefault(path, {})[word] = marks
        return list(kept.values())

    def _marks(self, path: str, named: Sequence[str], value: Any) -> list[str]:
        plain = (mark.strip().removeprefix("@").removeprefix("#") for mark in named)
        marks = [mark for mark in dict.fromkeys(plain) if self.sources.text(mark) is not None]
        if not marks:
            self._drop(path, value, UNKNOWN_POST if named else NO_POST)
        return marks[:_MOST_MARKS]

    def _drop(self, path: str, value: Any, why: str) -> None:
        if len(self.dropped) < _MOST_DROPPED:
            shown = {} if value is None else {"value": value}
            self.dropped.append({"field": path, **shown, "why": why})


def supported(answer: Mapping[str, Any], sources: Sources) -> Supported:
    """The insights in an answer that has the form of `wire_model`.

    Raises:
        ValidationError: a value is out of range.
    """
    sieve = _Sieve(sources)
    values: dict[str, Any] = {}
    for group, model in GROUPS.items():
        said = answer[group]
        values[group] = {
            name: sieve.members(f"{group}.{name}", said[name])
            if is_list(group, name)
            else sieve.value(f"{group}.{name}", said[name], sensitive=group in SENSITIVE)
            for name in model.model_fields
        }
    values[NOTES] = sieve.value(NOTES, answer[NOTES], sensitive=False)
    insights = AIInsights.model_validate(values | {"confidence": answer["confidence"]})
    return Supported(insights, sieve.evidence, sieve.quotes, sieve.dropped)


def _is_in(quote: str, text: str) -> bool:
    said = one_line(quote, _LONGEST_QUOTE).casefold()
    return len(said) >= _LEAST_QUOTE and said in one_line(text, len(text)).casefold()
