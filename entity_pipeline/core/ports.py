"""What the domains need from the outside world, as protocols. `resources/` implements them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from entity_pipeline.core.schema_needs import SchemaNeeds
from entity_pipeline.core.settings import SettingsAccess


class Database(Protocol):
    """A PostgreSQL database reached directly or through a pooler."""

    def connection(self) -> AbstractContextManager[Any]:
        """A psycopg connection in autocommit mode, valid inside the `with` block.

        Whatever needs state (a lock, a temporary table, a local setting) goes inside one
        ``with connection.transaction()``: a transaction pooler gives every transaction another session.

        Raises:
            DatabaseUnavailable: the database can't be reached.
        """


@dataclass(frozen=True, slots=True)
class Databases:
    """The two databases of an installation, and the settings in them."""

    assets: Database
    operation: Database
    settings: SettingsAccess


class SchemaAccess(Protocol):
    """What both databases lack; implemented by `resources/schema_check.py`."""

    def problems(self, *needs: SchemaNeeds) -> Sequence[str]:
        """A sentence for each missing table, column, right or hidden row that runs need, with what to do."""


class JobRunner(Protocol):
    """Runs a job of the code location to its end, in this process."""

    def run(
        self, job_name: str, days: tuple[date, date] | None = None, config: dict[str, Any] | None = None
    ) -> Any:
        """Run it and return its result. Raises `PipelineFailure` if the run stopped early."""
