"""A database to migrate: how it is opened, and the failure to raise if it can't be.

Supabase ends statements of its role `postgres` after two minutes, but building an index may take longer. The limit
is lifted by a connection parameter; a pooler that refuses the parameter is used with the limit.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, PipelineFailure
from entity_pipeline.migrations.files import Database

NO_STATEMENT_TIMEOUT = "-c statement_timeout=0"

_UNREACHABLE = re.compile(
    r"refused|reset by peer|no such host|resolve host|timeout|timed out|unexpected EOF|closed the connection|too many"
    r"|starting up|shutting down|broken pipe|no route|unreachable",
    re.IGNORECASE,
)
_OF_THE_ADDRESS = re.compile(
    r"authentication|password|(?:database|role|user) \"?[^\"]*\"? does not exist|SSL|TLS|dial ", re.IGNORECASE
)
_ADVICE = (
    (
        r"lock timeout|deadlock",
        "Another session was using the table, and nothing in this file was applied: run it again",
    ),
    (
        r"statement timeout",
        "Use the direct connection with a role whose statement_timeout is longer, and run it again",
    ),
    (r"must be owner|permission denied", "Run it as the owner of the tables (on Supabase: postgres)"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """One of the two databases; `name` is also the folder of its files and the prefix of its variable."""

    name: Database
    url: str

    @property
    def variable(self) -> str:
        """The environment variable that names it."""
        return f"{self.name.upper()}_DATABASE_URL"

    def connect(self) -> psycopg.Connection:
        """An autocommit connection; raises the failure that `failure` makes from an error."""
        try:
            return self._connect()
        except psycopg.ProgrammingError as error:
            raise ConfigurationFailure(
                f"{self.variable} can't be read as a PostgreSQL URL "
                f"(postgresql://user:password@host:5432/database): {self._redact(str(error))}"
            ) from None
        except psycopg.OperationalError as error:
            # libpq says it as "connection failed: connection to server at ..., port 1 failed: REASON\n\tis the ...".
            reason = str(error).split(" failed: ")[-1].split("\n")[0]
            raise self.failure("can't be opened", reason) from None

    def connect_without_statement_timeout(self) -> psycopg.Connection:
        """The same without a time limit for statements, if the server or pooler accepts the parameter."""
        if "options" not in conninfo_to_dict(self.url):
            try:
                return self._connect(options=NO_STATEMENT_TIMEOUT)
            except psycopg.OperationalError:
                pass
        return self.connect()

    def failure(self, what: str, said: str, more: str = "") -> PipelineFailure:
        """The failure for this error of the server: one sentence about the database, and what to do."""
        kind = DatabaseUnavailable if _UNREACHABLE.search(said) else ConfigurationFailure
        of_address = kind is DatabaseUnavailable or _OF_THE_ADDRESS.search(said) or what == "can't be opened"
        advice = next(
            (advice for pattern, advice in _ADVICE if re.search(pattern, said)),
            f"Check {self.variable}, then run `entity-pipeline migrate` again"
            if of_address
            else "Compare that table with docs/schema.md, change it and run `entity-pipeline migrate` again: it "
            "continues with this file",
        )
        return kind(f"The {self.name} database {what}: {self._redact(said).rstrip('.')}.{more} {advice}.")

    def _connect(self, **parameters: str) -> psycopg.Connection:
        return psycopg.connect(
            self.url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=10,
            application_name="entity_pipeline migrate",
            **parameters,  # type: ignore[arg-type]
        )

    def _redact(self, text: str) -> str:
        """The text on one line and without the password, in any form in which a driver may repeat it."""
        try:
            password = conninfo_to_dict(self.url).get("password")
        except psycopg.ProgrammingError:
            # Not a valid URL: treat what is in the password's place as the password.
            found = re.search(r"//[^:/]*:(.*)@|password\s*=\s*(\S+)", self.url)
            password = next(filter(None, found.groups()), None) if found else None
            text = text.replace(self.url, "***")
        if password:
            for form in (str(password), quote(str(password), safe=""), quote(str(password))):
                text = text.replace(form, "***")
        return " ".join(text.split())
