"""The roles of docs/schema.md on test databases, made by the page's own statements.

Roles belong to a server and not to a database, so each test gets the page's roles under names of its own.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

import entity_pipeline
from entity_pipeline.resources.postgres import open_database
from entity_pipeline_tests.databases import ClonedDatabase

Kind = Literal["assets", "operation"]
Role = Literal["entity_pipeline", "entity_pipeline_undo", "entity_pipeline_page"]

PAGE = Path(entity_pipeline.__file__).parents[1] / "docs" / "schema.md"
_BLOCK = re.compile(r"^```sql (assets|operation)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"\bentity_pipeline(?:_undo|_page)?\b")
_PASSWORD = re.compile(r"password '[^']+'")
_SECRET = "made-up-secret"


@dataclass(frozen=True)
class Roles:
    """Addresses by database and role; `names` are those that the roles have on this server."""

    urls: Mapping[tuple[Kind, str], str]
    names: Mapping[tuple[Kind, str], str]

    def url(self, kind: Kind, role: Role) -> str:
        return self.urls[kind, role]

    @contextmanager
    def database(self, owner: ClonedDatabase, kind: Kind, role: Role) -> Iterator[ClonedDatabase]:
        """The database under the role's address; its own connections, for what a test looks at, are the owner's."""
        with open_database(owner.url) as pool:
            yield ClonedDatabase(self.url(kind, role), pool)


def statements(kind: Kind) -> str:
    """What the page says to run in one of the databases."""
    return "".join(text for name, text in _BLOCK.findall(PAGE.read_text()) if name == kind)


@contextmanager
def documented_roles(assets: ClonedDatabase, operation: ClonedDatabase) -> Iterator[Roles]:
    """The page's roles on both databases, gone at the end of the block."""
    urls: dict[tuple[Kind, str], str] = {}
    names: dict[tuple[Kind, str], str] = {}
    owners: dict[Kind, ClonedDatabase] = {"assets": assets, "operation": operation}
    with ExitStack() as stack:
        for kind, owner in owners.items():
            ending = f"_{kind}_{uuid.uuid4().hex[:12]}"
            text = _PASSWORD.sub(f"password '{_SECRET}'", statements(kind))
            created = re.findall(r"create role (\w+)", text)
            stack.callback(_drop, owner, [name + ending for name in created])
            with owner.connection() as connection:
                connection.execute(sql.SQL(_NAME.sub(rf"\g<0>{ending}", text)))
            for name in created:
                names[kind, name] = name + ending
                urls[kind, name] = _as_role(owner.url, name + ending)
        yield Roles(urls, names)


def _as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}:{_SECRET}@{parts.hostname}:{parts.port}"))


def _drop(owner: ClonedDatabase, roles: list[str]) -> None:
    with owner.connection() as connection:
        for role in reversed(roles):
            there = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
            if there:
                statement = sql.SQL("drop owned by {0} cascade; drop role {0}")
                connection.execute(statement.format(sql.Identifier(role)))


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection in autocommit mode, as everywhere in the pipeline."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        yield connection
