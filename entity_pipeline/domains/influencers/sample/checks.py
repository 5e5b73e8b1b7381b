"""Compares the figures of the demo with the sample's truth: a sentence for each difference.

People may add blogs of their own to a sandbox, so only what the sample has is compared.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from entity_pipeline.domains.influencers.insights.logic.ai_insights import said as stored_statements
from entity_pipeline.domains.influencers.sample.expected import (
    ExpectedBlog,
    expected_blogs,
    expected_discoveries,
    expected_questions,
)
from entity_pipeline.domains.influencers.sample.figures import Figures

_MEASURES = ("er", "er_reels", "posts_per_week")
_ALMOST = 0.011  # of a measure, which both sides round
_COUNTS = ("posts", "highlights", "hidden")


def problems_of(figures: Figures, day: datetime) -> Iterator[str]:
    """Everything that differs."""
    for username, expected in expected_blogs(day).items():
        row = figures.blogs.get(username)
        if row is None:
            yield f"{username}: there is no blog of this name"
        else:
            yield from _blog(expected, row)
    yield from _discoveries(figures.discoveries)
    yield from _requests(figures)
    yield from _bill(figures)


def _blog(expected: ExpectedBlog, row: Mapping[str, Any]) -> Iterator[str]:
    def differs(what: str, found: object, right: object) -> str:
        return f"{expected.username}: {what} is {found}, but should be {right}"

    if row["scrape_status"] != expected.status:
        yield differs("the status", row["scrape_status"], expected.status)
    if row["scrape_outcome"] != expected.outcome:
        yield differs("the outcome of the scrape", row["scrape_outcome"], expected.outcome)
    if expected.insights == "none":
        return
    for name in _COUNTS:
        if row[name] != getattr(expected, name):
            yield differs(name, row[name], getattr(expected, name))
    if row["invented"] or row["without_plays"]:
        yield f"{expected.username}: a hidden number of likes was stored, or the plays of a reel were not"
    for name in _MEASURES:
        if not _is_almost(row[name], getattr(expected, name)):
            yield differs(name, row[name], getattr(expected, name))
    if row["er_trend"] != expected.er_trend:
        yield differs("er_trend", row["er_trend"], expected.er_trend)
    if row["category"] != expected.category:
        yield differs("the category", row["category"], expected.category)
    yield from _insights(expected, row)


def _insights(expected: ExpectedBlog, row: Mapping[str, Any]) -> Iterator[str]:
    ended = {"described": None, "refused": "refused", "unreadable": "unreadable_answer"}[expected.insights]
    if row["insights_outcome"] != ended:
        yield f"{expected.username}: the insights ended as {row['insights_outcome']}, but should as {ended}"
    found = stored_statements(row["ai_insights"] or {})
    right = expected.statements or {}
    for path in sorted(found.keys() | right.keys()):
        if found.get(path) != right.get(path):
            yield f"{expected.username}: {path} is {found.get(path)}, but should be {right.get(path)}"
    evidence = (row["insights_meta"] or {}).get("evidence", {})
    for path in found.keys() - evidence.keys():
        yield f"{expected.username}: nothing says what {path} rests on"


def _discoveries(found: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for hashtag, right in expected_discoveries().items():
        if found.get(hashtag) != right:
            yield f"#{hashtag}: {found.get(hashtag)}, but should be {right}"


def _requests(figures: Figures) -> Iterator[str]:
    if figures.requests != figures.logged:
        yield f"the log of requests has {figures.logged}, but the stand-in received {figures.requests}"


def _bill(figures: Figures) -> Iterator[str]:
    """Of every answer that was billed since the stand-in started; an older one is not on its bill."""
    settled, billed = Decimal(0), Decimal(0)
    for id_, cost in figures.billed.items():
        state, booked = figures.ledger.get(id_, ("missing", Decimal(0)))
        if state == "settled":
            settled, billed = settled + booked, billed + cost
        elif booked < cost:
            yield f"the ledger holds {booked} USD for {id_}, whose lost answer was billed at {cost} USD"
    if settled != billed:
        yield f"the ledger has {settled} USD for the answers of batches, but the stand-in billed {billed} USD"
    states, right = Counter(state for state, _ in figures.ledger.values()), expected_questions()
    if states != right:
        yield f"the ledger's rows are {dict(states)}, but should be {dict(right)}"


def _is_almost(found: Any, right: float | None) -> bool:
    if found is None or right is None:
        return found is None and right is None
    return abs(float(found) - right) < _ALMOST
