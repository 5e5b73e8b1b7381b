"""A simulated week of the whole pipeline under chaos: ``python -m entity_pipeline_tests.reliability.soak``.

Every 15 simulated minutes the pipeline's own sensors and schedules are evaluated and the runs they ask for are
executed, while posts arrive, people edit, databases fail and processes are killed. Then the chaos ends, quota is
given, and every promise is checked. The week includes the end of daylight saving time.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from entity_pipeline_tests.databases import DatabaseServer, fast_disk, shared_database_server
from entity_pipeline_tests.reliability.soak_invariants import CHECKS
from entity_pipeline_tests.reliability.soak_week import START, Report, Soak


def soak(
    server: DatabaseServer,
    seed: int,
    days: int,
    accounts_a_day: int,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run the soak in its own folder and databases; `tell` receives its progress."""
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="entity-pipeline-soak-", dir=fast_disk())
        )
        return Soak(seed, days, accounts_a_day, stack, server, Path(folder), tell).week()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was done; returns 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description="A simulated week of the pipeline under chaos.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--accounts-a-day", type=int, default=24)
    options = parser.parse_args(arguments)
    console = Console()
    console.print(f"Seed {options.seed}, {options.days} days from {START:%Y-%m-%d}.")
    with shared_database_server() as server:
        report = soak(server, options.seed, options.days, options.accounts_a_day, console.print)
    table = Table(
        "count", "of", title=f"{report.days} simulated days, seed {report.seed}, {report.seconds:.0f} s"
    )
    for name, count in sorted(report.counts.items()):
        table.add_row(f"{count:,}", name)
    console.print(table)
    for name, counted in (("held because", report.waits), ("failed because", report.failures)):
        for sentence, count in counted.most_common(12):
            console.print(f"{count:>6} {name}: {sentence[:150]}", highlight=False)
    for breach in report.breaches:
        console.print(f"BROKEN  {breach}", style="red", highlight=False)
    if not report.breaches:
        console.print(f"All {len(CHECKS)} promises were kept.")
    return 1 if report.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
