"""What the commands of the domain are tried with."""

from entity_pipeline_tests.cli.conftest import database_variables

__all__ = ["database_variables"]
