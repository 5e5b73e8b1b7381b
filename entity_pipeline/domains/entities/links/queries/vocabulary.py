"""The values that the classification columns of this installation can hold.

In an older installation they are enums, or have a check, that lack some of our words.
"""

import re
from collections.abc import Mapping
from typing import Any

import psycopg

Vocabulary = Mapping[str, frozenset[str] | None]
"""Column name to its allowed values; None if everything is allowed."""

_LABELS = """
select a.attname, array_agg(e.enumlabel::text) filter (where e.enumlabel is not null),
       array_agg(pg_get_constraintdef(c.oid)) filter (where c.oid is not null)
from pg_attribute a
left join pg_enum e on e.enumtypid = a.atttypid
left join pg_constraint c on c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum]
where a.attrelid = 'instagram_accounts'::regclass and a.attname in ('account_type', 'entity_ig_role')
group by a.attname
"""

_LIST_CHECK = re.compile(r"CHECK \(+\w+(?:\)?::\w+)? = ANY \(+ARRAY\[(?P<list>[^\]]*)\]")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


def load_vocabulary(connection: psycopg.Connection[Any]) -> Vocabulary:
    """Read it from the system catalog; once per run is enough."""
    rows = connection.execute(_LABELS).fetchall()
    return {column: _allowed(labels, checks) for column, labels, checks in rows}


def _allowed(labels: list[str] | None, checks: list[str] | None) -> frozenset[str] | None:
    if labels:
        return frozenset(labels)
    lists = [match["list"] for match in map(_LIST_CHECK.match, checks or ()) if match]
    allowed = [frozenset(_LITERAL.findall(listed)) for listed in lists]
    return frozenset.intersection(*allowed) if allowed else None
