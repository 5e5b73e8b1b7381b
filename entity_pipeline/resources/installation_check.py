"""What `doctor` checks of the installation as a whole: swapped databases, clocks, former settings.

What concerns the tables of one domain does not belong here; see the domain's `health.py`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg

from entity_pipeline.resources.postgres import database_clock
from entity_pipeline.resources.settings_store import SETTINGS_COLUMN, SWITCH_COLUMN

CLOCK_TOLERANCE_S = 30.0

# A similar column that is older than ours: `migrate` added ours beside it.
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
    """Whether each address names the other database; `migrate` would then fill each with the other's tables."""
    if (assets.execute(_THERE).fetchone(), operation.execute(_THERE).fetchone()) == (
        (False, True),
        (True, False),
    ):
        yield (
            "ASSETS_DATABASE_URL names the database with instagram_accounts and OPERATION_DATABASE_URL the one with "
            "raw_posts: they are swapped. Exchange the two values."
        )


def former_settings(assets: _Connection) -> Iterator[str]:
    """Columns of `pipeline_settings` that look like a switch or settings but are not read."""
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
    """How far the database's clock is ahead of this machine's, in seconds; half of the round trip is subtracted."""
    before = machine_clock()
    there = database_clock(connection)
    return (there - (before + (machine_clock() - before) / 2)).total_seconds()
