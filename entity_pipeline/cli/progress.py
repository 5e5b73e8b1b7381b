"""A progress bar for reviews, fed by the ledger: it counts the answers of all threads and processes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Event, Thread

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.resources.gemini.ledger import Ledger

_POLL_S = 0.5


@contextmanager
def review_progress(ledger: Ledger, total: int, since: datetime) -> Iterator[None]:
    """Show how many of `total` reviews were answered since an instant, while the block runs."""
    if not total:
        yield
        return
    columns = (TextColumn("reviews"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = Event()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("reviews", total=total)

        def poll() -> None:
            while not done.wait(_POLL_S):
                with suppress(DatabaseUnavailable):
                    progress.update(bar, completed=min(ledger.count_answered(since), total))

        thread = Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
