"""Fixtures for the tests of the domain's commands."""

from entity_pipeline_tests.cli.conftest import database_variables

__all__ = ["database_variables"]
