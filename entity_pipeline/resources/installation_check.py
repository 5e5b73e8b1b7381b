"""What `doctor` says of the installation as a whole although it works: swapped databases, clocks, former settings.

What concerns the tables of one domain does not belong here; see the domain's `health.py`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg

from entity_pipeline.resources.postgres import database_clock
from entity_pipeline.resources.settings_store import SETTINGS_COLUMN, SWITCH_COLUMN

CLOCK_TOLERANCE_S = 30.0

# A column of the same kind that is older than ours: `migrate` put ours beside it.
_FORMER_SETTINGS = """
select former.attname::text from pg_attribute as ours
join pg_attribute as former on former.attrelid = ours.attrelid and former.attnum between 1 and ours.attnum - 1
where ours.attrelid = to_regclass('public.pipeline_settings') and not former.attisdropped
  and (ours.attname = %s and former.atttypid = 'boolean'::regtype
    or ours.attname = %s and former.atttypid in ('jsonb'::regtype, 'json'::regtype))
order by former.attnum
"""

_THERE = (
    "select to_regclass('public.raw_posts') is not null, to_regclass('public.instagram_accounts') is not null"
)

_Connection = psycopg.Connection[Any]


def swapped(assets: _Connection, operation: _Connection) -> Iterator[str]:
    """Whether each address names the other database; `migrate` would fill both with what belongs to the other."""
    if (assets.execute(_THERE).fetchone(), operation.execute(_THERE).fetchone()) == (
        (False, True),
        (True, False),
    ):
        yield (
            "ASSETS_DATABASE_URL names the database with instagram_accounts and OPERATION_DATABASE_URL the one with "
            "raw_posts: they are swapped."
        )


def former_settings(assets: _Connection) -> Iterator[str]:
    """A switch and settings that `pipeline_settings` had under other names, and that change nothing here."""
    former = [name for (name,) in assets.execute(_FORMER_SETTINGS, [SWITCH_COLUMN, SETTINGS_COLUMN])]
    if former:
        yield (
            "assets: pipeline_settings has older columns that look like a switch or settings "
            f"({', '.join(former)}), and this pipeline does not read them: only {SWITCH_COLUMN} and {SETTINGS_COLUMN} "
            "count, and `entity-pipeline settings` changes them. To use the older ones "
            "instead, name them in entity_pipeline/resources/settings_store.py (docs/schema.md)."
        )


def clock_skew_s(
    connection: _Connection, machine_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float:
    """How far the database's clock is ahead of this machine's, in seconds; the way there and back counts half."""
    before = machine_clock()
    there = database_clock(connection)
    return (there - (before + (machine_clock() - before) / 2)).total_seconds()
