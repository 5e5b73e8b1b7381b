"""DAGSTER_HOME of the sandbox, and the files beside the package that Dagster's processes read."""

import os
import shutil
from pathlib import Path

import dagster as dg

import entity_pipeline
from entity_pipeline.core.failures import ConfigurationFailure


def prepare_dagster_home() -> None:
    """Put the project's dagster.yaml into the sandbox's DAGSTER_HOME, and make Dagster's tables.

    The tables are made before any service starts: two services that make them at once would conflict.
    """
    home = Path(os.environ["DAGSTER_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(project_file("dagster.yaml"), home / "dagster.yaml")
    with dg.DagsterInstance.get():
        pass


def project_file(name: str) -> Path:
    """A file of the checkout. Raises `ConfigurationFailure` if the package was installed without one."""
    path = Path(entity_pipeline.__file__).parents[1] / name
    if not path.exists():
        raise ConfigurationFailure(
            f"{name} is not beside the package in {path.parent}: run this command from a checkout."
        )
    return path
