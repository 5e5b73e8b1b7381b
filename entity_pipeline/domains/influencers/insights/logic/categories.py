"""`match_categories`: which categories the topics of a description name. Pure; a category is never invented.

A topic matches by the code or the name of a category, else by an alias, else not at all. Similar spellings are not
joined, because short words resemble each other; unmatched topics are listed, so that a person may add an alias.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_SEPARATORS = re.compile(r"[\s\-‐-―_/&]+")


@dataclass(frozen=True, slots=True)
class Category:
    """A row of `categories`."""

    id: int
    code: str
    name: str
    aliases: Sequence[str]


@dataclass(frozen=True, slots=True)
class Matched:
    """The categories by their ids, each once, with whether it is the primary one; and the topics without any."""

    categories: Mapping[int, bool]
    unmatched: tuple[str, ...]


@dataclass(frozen=True)
class CategoryNames:
    """The categories by every name that they have. Of two with the same alias the first has it."""

    exact: Mapping[str, int]
    aliases: Mapping[str, int]
    names: Sequence[str] = field(default=())

    @classmethod
    def of(cls, categories: Iterable[Category]) -> "CategoryNames":
        """Made from all rows, in the order of their ids."""
        exact: dict[str, int] = {}
        aliases: dict[str, int] = {}
        names = []
        for one in sorted(categories, key=lambda category: category.id):
            names.append(one.name)
            for name in (one.code, one.name):
                exact.setdefault(normalised(name), one.id)
            for name in one.aliases:
                aliases.setdefault(normalised(name), one.id)
        return cls(exact, aliases, tuple(names))

    def find(self, topic: str) -> int | None:
        """The id of the category that a topic names."""
        key = normalised(topic)
        return self.exact.get(key, self.aliases.get(key)) if key else None


def match_categories(primary: str | None, secondary: Sequence[str], names: CategoryNames) -> Matched:
    """The categories of one blog. Only that of the primary topic is the primary one."""
    found: dict[int, bool] = {}
    unmatched: dict[str, str] = {}
    for topic, is_primary in [(primary, True), *((one, False) for one in secondary)]:
        if topic is None:
            continue
        category = names.find(topic)
        if category is not None:
            found.setdefault(category, is_primary)
        elif normalised(topic):
            unmatched.setdefault(normalised(topic), topic)
    return Matched(found, tuple(unmatched.values()))


def normalised(topic: str) -> str:
    """Trimmed, without case, ``ё`` as ``е``; dashes, ``_``, ``/`` and ``&`` are spaces."""
    plain = unicodedata.normalize("NFKC", topic).casefold().replace("ё", "е")
    return _SEPARATORS.sub(" ", plain).strip()
