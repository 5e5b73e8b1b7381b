"""The first release's `migrate`: the same files by dbmate, recorded in Supabase's own history table."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import get_args

from entity_pipeline.migrations.dbmate import dbmate_url
from entity_pipeline.migrations.files import Database, MigrationFile, files_of
from entity_pipeline.migrations.history import SUPABASE_TABLE

_DBMATE = shutil.which("dbmate") or str(Path(sys.executable).with_name("dbmate"))


def first_files(database: Database) -> list[MigrationFile]:
    """What the first release shipped."""
    return [file for file in files_of(database) if file.version.startswith("20260101")]


def later_names() -> list[str]:
    """What `migrate` applies to an installation of the first release."""
    return [
        file.name
        for database in get_args(Database)
        for file in files_of(database)
        if file not in first_files(database)
    ]


def migrate_as_first_release(
    url: str, database: Database, *, table: str = SUPABASE_TABLE, files: list[MigrationFile] | None = None
) -> str:
    """Apply what `table` does not have; returns what dbmate printed as an error, empty if it succeeded."""
    with tempfile.TemporaryDirectory() as folder:
        for file in first_files(database) if files is None else files:
            shutil.copy(file.path, folder)
        command = [_DBMATE, "--no-dump-schema", "--migrations-table", table, "--migrations-dir", folder]
        ended = subprocess.run(
            [*command, "migrate"],
            cwd=folder,
            env={"DATABASE_URL": dbmate_url(url)},
            capture_output=True,
            text=True,
            check=False,
        )
    return ended.stderr if ended.returncode else ""
