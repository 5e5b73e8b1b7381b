"""The command `entity-pipeline`. Failures end in one clear sentence and a non-zero exit, never in a traceback."""

from entity_pipeline.cli.main import main

__all__ = ["main"]
