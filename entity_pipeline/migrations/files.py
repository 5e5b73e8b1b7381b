"""The SQL files, taken apart: what they run, and whether in one transaction.

Surprising: an index that is built concurrently has a file of its own, so the file can be run alone once more when
its index is gone, whatever the history says.
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
_CONCURRENT = re.compile(r"create (?:unique )?index concurrently if not exists (\w+)")
# What a statement may hold that a semicolon does not end: comments, $-quoted bodies, texts.
_TOKEN = re.compile(r"--[^\n]*|(\$\w*\$).*?\1|'(?:[^']|'')*'|;|[^;'$-]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """One file of `migrations/<database>/`."""

    database: Database
    path: Path

    @property
    def name(self) -> str:
        """As people see it: ``assets/20260101000100_collection.sql``."""
        return f"{self.database}/{self.path.name}"

    @property
    def version(self) -> str:
        """Its number, under which a database remembers it."""
        return self.path.name[:14]

    @property
    def sql(self) -> str:
        """What it runs, with its comments."""
        return self._up()["sql"].strip()

    @property
    def in_one_transaction(self) -> bool:
        """Whether all of it is kept or none."""
        return "transaction:false" not in self._up()["options"]

    @property
    def concurrent_index(self) -> str | None:
        """The index that the file builds while others write, if it builds one."""
        found = _CONCURRENT.search(self.sql)
        return found[1] if found else None

    def _up(self) -> "re.Match[str]":
        found = _UP.match(self.path.read_text(encoding="utf-8"))
        if found is None:
            raise AssertionError(f"{self.name} does not begin with '-- migrate:up'")
        return found


def files_of(database: Database) -> list[MigrationFile]:
    """All files of a database in the order in which they run."""
    return [MigrationFile(database, path) for path in sorted((FOLDER / database).glob("*.sql"))]


def statements(text: str) -> Iterator[str]:
    """The statements of a file, without the semicolon at their end and the comments before them."""
    current = ""
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            yield current.strip()
            current = ""
        elif not token[0].startswith("--"):
            current += token[0]
    if current.strip():
        yield current.strip()
