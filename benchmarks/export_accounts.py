"""Accounts per second and peak memory of `entity-pipeline export`, of some of 1,000,000 accounts and of all.

    .venv/bin/python benchmarks/export_accounts.py [ACCOUNTS] [--keep FOLDER]

The accounts are those of `many_accounts.py`. Each export is a separate process, whose peak resident memory the
kernel reports; most of that is the libraries.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from many_accounts import run
from rich.console import Console

from entity_pipeline.sandbox.postgres import EmbeddedPostgres

_EXPORT = """
import resource, sys, time
from pathlib import Path
from entity_pipeline.domains.entities.commands.export import export
began = time.perf_counter()
export(Path(sys.argv[1]), None, {"search": sys.argv[2]} if sys.argv[2] else {})
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure(postgres: EmbeddedPostgres, console: Console) -> None:
    with tempfile.TemporaryDirectory() as out:
        for search in ("b", ""):
            file = Path(out) / "accounts.csv"
            ended = subprocess.run(
                [sys.executable, "-c", _EXPORT, str(file), search],
                env={
                    "ASSETS_DATABASE_URL": postgres.url("assets"),
                    "OPERATION_DATABASE_URL": postgres.url("operation"),
                },
                capture_output=True,
                text=True,
                check=True,
            )
            took_s, peak_mb = map(float, ended.stdout.split())
            rows = int(ended.stderr.split()[0].replace(",", ""))
            console.print(
                f"{rows:,} accounts in {took_s:.0f} s, {rows / took_s:,.0f} per second, "
                f"{file.stat().st_size / 1e6:.0f} MB; peak memory {peak_mb:.0f} MB"
            )


if __name__ == "__main__":
    run("`entity-pipeline export`.", measure)
