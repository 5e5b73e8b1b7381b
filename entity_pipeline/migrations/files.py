"""The SQL files, parsed: their version, their statements, and whether they run in one transaction.

An index that is built concurrently has a file of its own, so that the file can be run again if the index is gone,
although the history has it. Nothing here connects to a database.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Database = Literal["assets", "operation"]

FOLDER = Path(__file__).parent

_UP = re.compile(
    r"-- migrate:up(?P<options>[^\n]*)\n(?P<sql>.*?)(?:^-- migrate:down.*)?\Z", re.DOTALL | re.MULTILINE
)
_CONCURRENT = re.compile(r"create (?:unique )?index concurrently if not exists (\w+)\s+on public\.(\w+)")
# Semicolons in comments, $-quoted bodies and string literals do not end a statement.
_TOKEN = re.compile(r"--[^\n]*|(\$\w*\$).*?\1|'(?:[^']|'')*'|;|[^;'$-]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """One file of `migrations/<database>/`."""

    database: Database
    path: Path

    @property
    def name(self) -> str:
        """The name for people: ``assets/20260101000100_collection.sql``."""
        return f"{self.database}/{self.path.name}"

    @property
    def version(self) -> str:
        """The fourteen digits under which the history records it."""
        return self.path.name[:14]

    @property
    def title(self) -> str:
        """The name without its digits, as Supabase's command records it: ``collection``."""
        return self.path.stem[15:]

    @property
    def sql(self) -> str:
        """The SQL of the way up, with its comments."""
        return self._up()["sql"].strip()

    @property
    def in_one_transaction(self) -> bool:
        """Whether a failure undoes all of it."""
        return "transaction:false" not in self._up()["options"]

    @property
    def concurrent_index(self) -> str | None:
        """The name of the index that the file builds concurrently, if it builds one."""
        found = _CONCURRENT.search(self.sql)
        return found[1] if found else None

    @property
    def concurrent_table(self) -> str | None:
        """The table of that index."""
        found = _CONCURRENT.search(self.sql)
        return found[2] if found else None

    def _up(self) -> "re.Match[str]":
        found = _UP.match(self.path.read_text(encoding="utf-8"))
        if found is None:
            raise AssertionError(f"{self.name} does not begin with '-- migrate:up'")
        return found


def files_of(database: Database) -> list[MigrationFile]:
    """All files of a database in the order in which they run."""
    return [MigrationFile(database, path) for path in sorted((FOLDER / database).glob("*.sql"))]


def statements(text: str) -> Iterator[str]:
    """The statements of a file, without comments and closing semicolons."""
    current = ""
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            yield current.strip()
            current = ""
        elif not token[0].startswith("--"):
            current += token[0]
    if current.strip():
        yield current.strip()
