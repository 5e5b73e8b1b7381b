"""Columns that the migrations index as jsonb and an installation has as json: refused before anything is changed."""

from collections.abc import Mapping, Sequence

import psycopg

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.migrations.files import Database

_NEEDED: Mapping[Database, Sequence[str]] = {
    "assets": (),
    "operation": ("instagram_accounts.metadata",),
}
_JSON = """
select c.relname || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
where c.relnamespace = 'public'::regnamespace and a.atttypid = 'json'::regtype and not a.attisdropped
  and c.relname || '.' || a.attname = any(%s)
order by 1
"""


def refuse_json(database: Database, connection: psycopg.Connection) -> None:
    """Raise if one of the columns is json.

    Raises:
        ConfigurationFailure: it is; the sentence has the statement that changes it.
    """
    found = [name for (name,) in connection.execute(_JSON, [list(_NEEDED[database])])]
    if found:
        table, column = found[0].split(".")
        repair = f"alter table {table} alter column {column} type jsonb using {column}::jsonb"
        raise ConfigurationFailure(
            f"The {database} database was not changed: the column {found[0]} must be jsonb and is json. Run `{repair}` "
            "as the owner, then `entity-pipeline migrate` again."
        )
