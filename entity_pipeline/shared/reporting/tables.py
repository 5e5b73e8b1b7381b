"""What an asset declares for the Dagster UI: its owners, its table and its columns. The lists belong to each stage."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

OWNERS = ["team:data-engineering"]

Column = tuple[str, str, str]
"""Name, type, description."""


def table_metadata(table: str, columns: Iterable[Column]) -> dict[str, Any]:
    """The definition metadata that the UI shows as table name and columns. `table` is `database.schema.name`."""
    return {
        "dagster/table_name": table,
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name, kind, description) for name, kind, description in columns]
        ),
    }
