"""What the table of a queue looks like: the statements for the domain's migration, and its needs for `doctor`.

`python -m entity_pipeline.shared.tasks.table scrape_tasks` prints the statements. A released migration is never edited:
when `task_table.sql` changes, each domain with a queue gets a new one.
"""

import sys
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from entity_pipeline.core.schema_needs import TableNeeds, our_table

_COLUMNS = (
    "int: id priority attempts max_attempts losses fence; bool: is_begun; jsonb: payload steps; "
    "text: task_type task_key status lease_owner batch_key outcome error_message; "
    "timestamptz: lease_until next_retry_at deferred_until due_at started_at completed_at created_at"
)
_INDEXES = ("open", "due", "leased", "batch", "listed")


def task_table(table: str) -> str:
    """The statements that make the table and its indexes; running them again does no harm."""
    return files(__package__).joinpath("task_table.sql").read_text(encoding="utf-8").replace("{table}", table)


def task_table_needs(
    table: str,
    own_columns: str = "",
    own_indexes: Sequence[str] = (),
    own_made_there: frozenset[str] = frozenset(),
    **needs: Any,
) -> TableNeeds:
    """The needs of the table for `SchemaNeeds`.

    `own_columns` and `own_indexes` (without the table's name) are what the domain added; of the columns, the database
    fills those in `own_made_there`.
    """
    indexes = tuple(f"{table}_{name}" for name in (*_INDEXES, *own_indexes))
    return our_table(
        "; ".join(filter(None, (_COLUMNS, own_columns))),
        keys=(("id",),),
        indexes=indexes,
        made_there=frozenset({"id", "due_at"}) | own_made_there,
        **needs,
    )


if __name__ == "__main__":
    sys.stdout.write(task_table(sys.argv[1]))
