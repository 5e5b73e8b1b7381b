"""The address of a run in the Dagster UI."""

from uuid import UUID


def run_address(ui_url: str | None, run_id: str | None) -> str | None:
    """The address of the run; None without the UI's address, and for a text that is not a run's id."""
    try:
        return f"{ui_url.rstrip('/')}/runs/{UUID(run_id)}" if ui_url and run_id else None
    except ValueError:
        return None
