"""The stages of the entities domain as Dagster assets, one stage a file: load, decide, write, report."""
