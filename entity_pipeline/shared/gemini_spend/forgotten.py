"""Remove the texts of requests and replies from the ledger; who asked what when, and what it cost, stays.

When texts must go, because a person is erased or a period is over, belongs to the domain that asked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.jsonb import jsonb_text

MOST_AT_ONCE = 1_000

# A message of Google's may quote what was sent.
_BLANK = """
update gemini_usage_events e
set request = e.request - '{system,parts,sealed}'::text[], reply = null, error = e.error - 'message'
from texts where e.id = texts.id
"""
_HAS_TEXTS = "(reply is not null or error ? 'message' or request ?| '{system,parts,sealed}'::text[])"

_OF_SUBJECTS = f"""
with texts as (
  select id from gemini_usage_events
  where pipeline = %(pipeline)s and step = %(step)s and subject = any(%(subjects)s::text[]) and {_HAS_TEXTS}
  order by id for update
)
{_BLANK}
"""  # noqa: S608
_OLD = f"""
with texts as (
  select id from gemini_usage_events
  where created_at < %(before)s and pipeline = %(pipeline)s and step = %(step)s and {_HAS_TEXTS}
    and state not in ('reserved', 'sent')
  order by created_at, id limit %(most)s for update skip locked
)
{_BLANK}
"""  # noqa: S608
_SUBJECTS = f"""
select distinct subject from gemini_usage_events
where pipeline = %(pipeline)s and step = %(step)s and subject > %(after)s and {_HAS_TEXTS}
order by subject limit %(most)s
"""  # noqa: S608
# Settling is refused from then on. What they may have cost stays counted.
_CLOSE = """
update gemini_usage_events set state = 'settled', state_changed_at = clock_timestamp(), error = %(said)s::jsonb
where pipeline = %(pipeline)s and step = %(step)s and subject = any(%(subjects)s::text[])
  and state in ('reserved', 'sent', 'unknown')
"""
_SAID = jsonb_text({"kind": "forgotten", "message": "its texts were removed before an answer came"})


def subjects_with_texts(connection: psycopg.Connection[Any], step: Step, after: str) -> list[str]:
    """Up to 1,000 subjects of a step that have texts, in their order, beginning behind `after`."""
    values = {"pipeline": step.pipeline, "step": step.name, "after": after, "most": MOST_AT_ONCE}
    return [row[0] for row in connection.execute(_SUBJECTS, values)]


def close_subjects(connection: psycopg.Connection[Any], step: Step, subjects: Sequence[str]) -> int:
    """End the requests about these subjects that are under way: an answer that arrives later is not stored.

    Their greatest cost stays counted. Returns their number.
    """
    values = {"pipeline": step.pipeline, "step": step.name, "subjects": list(subjects), "said": _SAID}
    return connection.execute(_CLOSE, values).rowcount


def forget_subjects(connection: psycopg.Connection[Any], step: Step, subjects: Sequence[str]) -> int:
    """Remove the texts about these subjects of a step; returns the number of rows that had some.

    A reply that is still under way is stored when it arrives: repeat the call after its batch was collected. A reply
    without text is not replayed, so a new question about the subject is paid for again.
    """
    values = {"pipeline": step.pipeline, "step": step.name, "subjects": list(subjects)}
    return connection.execute(_OF_SUBJECTS, values).rowcount


def forget_older(connection: psycopg.Connection[Any], step: Step, before: datetime) -> int:
    """Remove the texts of up to 1,000 ended requests of a step that were made before then; returns their number.

    Repeat it until it returns 0.
    """
    values = {"pipeline": step.pipeline, "step": step.name, "before": before, "most": MOST_AT_ONCE}
    return connection.execute(_OLD, values).rowcount
