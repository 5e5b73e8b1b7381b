"""The health of each database and of Dagster's storage, in words that a stranger may read."""

from pydantic import Field

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.shown import Shown
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.ports import Database


class HealthPart(Shown):
    """One system that the pages depend on."""

    name: str
    problem: str | None = Field(description="A sentence; null when it works.")


class Health(Shown):
    """`ok` is false while a database can't be reached; Dagster's storage alone does not make it false."""

    ok: bool
    parts: list[HealthPart]


def health(installation: Installation) -> Health:
    """Check each system. Never raises."""
    databases = {"operation": installation.operation_db, "assets": installation.assets_db}
    parts = [HealthPart(name=name, problem=_problem(name, database)) for name, database in databases.items()]
    ok = all(part.problem is None for part in parts)
    return Health(ok=ok, parts=[*parts, HealthPart(name="dagster", problem=installation.dagster.problem())])


def _problem(name: str, database: Database) -> str | None:
    try:
        with database.connection() as connection:
            connection.execute("select 1")
    except PipelineFailure:
        return f"The database `{name}` can't be reached."
    return None
