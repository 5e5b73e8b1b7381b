"""`tagged_days`: the posts from which each day of `tagged_usernames` was counted.

A day is known when its posts and the counting rules are unchanged and all its rows exist. Any doubt makes a day
unknown, which costs one count but never a wrong row.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import psycopg

from entity_pipeline.domains.entities.tags.logic.tally import RULES, TagCounts

_COUNTS = [field.name for field in fields(TagCounts) if field.name != "mark"]
_KEPT = """
    select kept.day, kept.mark, kept.counts, kept.usernames
    from tagged_days as kept left join (
        select day, count(*) as usernames from tagged_usernames where day between %(first)s and %(last)s group by 1
    ) as there using (day)
    where kept.day between %(first)s and %(last)s and kept.rules = %(rules)s
      and kept.usernames = coalesce(there.usernames, 0)
"""
_NOTE = """
    insert into tagged_days as kept (day, mark, rules, usernames, counts, changed_at)
    values (%(day)s, %(mark)s, %(rules)s, %(usernames)s, %(counts)s, clock_timestamp())
    on conflict (day) do update
    set mark = excluded.mark, rules = excluded.rules, usernames = excluded.usernames, counts = excluded.counts,
        changed_at = case when %(is_changed)s then excluded.changed_at else kept.changed_at end
"""


@dataclass(frozen=True, slots=True)
class KnownDay:
    """The source of a day's count, and the number of its usernames."""

    tags: TagCounts
    usernames: int


def known_days(connection: psycopg.Connection[Any], first: date, last: date) -> dict[date, KnownDay]:
    """The days that were counted by today's rules and have all their rows; their posts may have changed since."""
    asked = {"first": first, "last": last, "rules": RULES}
    return {
        day: KnownDay(_tag_counts(counts, int(mark)), usernames)
        for day, mark, counts, usernames in connection.execute(_KEPT, asked)
    }


def note_day(
    connection: psycopg.Connection[Any], day: date, tags: TagCounts, *, usernames: int, is_changed: bool
) -> None:
    """Record the source of the day's count; call it in the transaction that wrote its rows."""
    counts = {name: getattr(tags, name) for name in _COUNTS}
    connection.execute(
        _NOTE,
        {
            "day": day,
            "mark": tags.mark,
            "rules": RULES,
            "usernames": usernames,
            "counts": json.dumps(counts),
            "is_changed": is_changed,
        },
    )


def _tag_counts(counts: Mapping[str, Any], mark: int) -> TagCounts:
    by_reason = {name: Counter(counts[name]) for name in ("bad_arrays", "bad_items")}
    return TagCounts(**{**counts, **by_reason}, mark=mark)
