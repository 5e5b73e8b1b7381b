"""The schema of both databases as a Dagster resource."""

import dagster as dg

from entity_pipeline.core.schema_needs import SchemaNeeds
from entity_pipeline.resources.postgres import PostgresResource


class SchemaProbe(dg.ConfigurableResource):
    """Both databases under `missing_schema`; implements `core.ports.SchemaAccess`."""

    assets_db: dg.ResourceDependency[PostgresResource]
    operation_db: dg.ResourceDependency[PostgresResource]

    def problems(self, *needs: SchemaNeeds) -> list[str]:
        """See `core.ports.SchemaAccess.problems`."""
        from entity_pipeline.resources.schema_check import missing_schema

        with self.assets_db.connection() as assets, self.operation_db.connection() as operation:
            return [
                str(problem) for problem in missing_schema(assets, operation, *needs) if problem.holds_up_runs
            ]
