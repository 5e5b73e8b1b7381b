"""Match the categories of all described blogs again, from their stored insights: free, and calls no outside system."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights.logic.categories import match_categories
from entity_pipeline.domains.influencers.insights.queries.categories import (
    load_categories,
    replace_categories,
    stored_topics,
)

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Rematched:
    """How many blogs were looked at, how many rows of `blog_categories` changed, and topics without a category."""

    blogs: int
    changed: int
    unmatched: Counter[str]


def match_again(database: Database) -> Rematched:
    """Bring `blog_categories` in line with the insights and the aliases of today."""
    names = patiently_on(database, load_categories)
    blogs = changed = 0
    unmatched: Counter[str] = Counter()
    after = UUID(int=0)
    while rows := patiently_on(database, lambda db, after=after: stored_topics(db, after, _AT_ONCE)):  # type: ignore[misc]
        matched = {id_: match_categories(primary, others, names) for id_, primary, others in rows}
        changed += patiently_on(database, lambda db, matched=matched: replace_categories(db, matched))  # type: ignore[misc]
        for found in matched.values():
            unmatched.update(found.unmatched)
        blogs, after = blogs + len(rows), rows[-1][0]
    return Rematched(blogs, changed, unmatched)
