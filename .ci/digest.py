"""Print one line per table of a sandbox's two databases: name, number of rows, digest of all values.

Two equal outputs mean that nothing was written in between, not even to the Gemini ledger, so no call was paid for. The
row that says up to when the list of accounts is complete is left out, because every sweep changes it.
"""

import sys
from pathlib import Path

import psycopg
from psycopg import sql

from entity_pipeline.sandbox.environment import Sandbox

_TABLES = (
    "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' "
    "and relname <> 'enrichment_queue_sweep' order by 1"
)
_DIGEST = "select count(*), md5(coalesce(string_agg(md5(t::text), '' order by md5(t::text)), '')) from {} t"


def _main(directory: Path) -> None:
    with Sandbox(directory) as environment:
        for variable in ("ASSETS_DATABASE_URL", "OPERATION_DATABASE_URL"):
            with psycopg.connect(environment[variable]) as connection:
                for (table,) in connection.execute(_TABLES).fetchall():
                    row = connection.execute(sql.SQL(_DIGEST).format(sql.Identifier(table))).fetchone()
                    print(table, *(row or ()))  # noqa: T201 - the output is what this is for


_main(Path(sys.argv[1]))
