"""A database that is migrated: how it is opened, and what is said when it can't be.

Surprising: Supabase ends a statement of its role `postgres` after two minutes, and building an index may take
longer. The limit is lifted with a parameter of the connection, which poolers refuse; then it stays.
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
_ADVICE = (
    (
        r"lock timeout|deadlock",
        "Somebody else was using the table; nothing of this file was kept: run it again",
    ),
    (
        r"statement timeout",
        "Use the direct connection with a role whose statement_timeout is longer, and run it again",
    ),
    (r"must be owner|permission denied", "Run it as the owner of the tables (on Supabase: postgres)"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """One of the two databases; `name` is the folder of its files and the prefix of its variable."""

    name: Database
    url: str

    @property
    def variable(self) -> str:
        """The environment variable that names it."""
        return f"{self.name.upper()}_DATABASE_URL"

    def connect(self) -> psycopg.Connection:
        """An autocommit connection; raises what `failure` makes of the error."""
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
        """The same without a limit on the time of a statement, where the way to the server lets that through."""
        if "options" not in conninfo_to_dict(self.url):
            try:
                return self._connect(options=NO_STATEMENT_TIMEOUT)
            except psycopg.OperationalError:
                pass
        return self.connect()

    def failure(self, what: str, said: str, more: str = "") -> PipelineFailure:
        """What to raise when the server said this: one sentence about the database, and what to do."""
        kind = DatabaseUnavailable if _UNREACHABLE.search(said) else ConfigurationFailure
        advice = next(
            (advice for pattern, advice in _ADVICE if re.search(pattern, said)),
            f"Check {self.variable}, then run `entity-pipeline migrate` again",
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
        """Without the password, in whichever form a driver repeats it, and on one line."""
        try:
            password = conninfo_to_dict(self.url).get("password")
        except psycopg.ProgrammingError:
            # Not a URL that can be taken apart: whatever stands where a password would may be one.
            found = re.search(r"//[^:/]*:(.*)@|password\s*=\s*(\S+)", self.url)
            password = next(filter(None, found.groups()), None) if found else None
            text = text.replace(self.url, "***")
        if password:
            for form in (str(password), quote(str(password), safe=""), quote(str(password))):
                text = text.replace(form, "***")
        return " ".join(text.split())
