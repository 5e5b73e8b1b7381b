"""Accounts a second and peak memory of `entity-pipeline export`, of some of 1,000,000 accounts and of all.

    .venv/bin/python benchmarks/export_accounts.py [ACCOUNTS] [--keep FOLDER]

The accounts are those of `admin_queue.py`; a folder that is kept serves both. Each export is a process of its own,
whose peak resident memory the kernel tells; about 100 MB of it are the libraries.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from admin_queue import fill
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

_EXPORT = """
import resource, sys, time
from pathlib import Path
from entity_pipeline.cli.export import export
began = time.perf_counter()
export(Path(sys.argv[1]), None, {"search": sys.argv[2]} if sys.argv[2] else {})
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main(accounts: int, folder: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    postgres = EmbeddedPostgres(folder, databases=("assets", "operation"))
    with SharedServers(folder, [postgres]), tempfile.TemporaryDirectory() as out:
        migrations.migrate(postgres.url("assets"), postgres.url("operation"))
        with psycopg.connect(postgres.url("operation"), autocommit=True) as connection:
            there = connection.execute("select count(*) from enrichment_queue").fetchone()
            if there is None or not there[0]:
                console.print(f"{accounts:,} accounts made in {fill(connection, accounts):.0f} s")
        for search in ("b", ""):
            file = Path(out) / "accounts.csv"
            ended = subprocess.run(
                [sys.executable, "-c", _EXPORT, str(file), search],
                env={"OPERATION_DATABASE_URL": postgres.url("operation")},
                capture_output=True,
                text=True,
                check=True,
            )
            took_s, peak_mb = map(float, ended.stdout.split())
            rows = int(ended.stderr.split()[0].replace(",", ""))
            console.print(
                f"{rows:,} accounts in {took_s:.0f} s, {rows / took_s:,.0f} a second, "
                f"{file.stat().st_size / 1e6:.0f} MB; peak memory {peak_mb:.0f} MB"
            )


if __name__ == "__main__":
    keep = Path(sys.argv[sys.argv.index("--keep") + 1]) if "--keep" in sys.argv else None
    count = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdecimal() else 1_000_000
    if keep is not None:
        main(count, keep)
    else:
        with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as temporary:
            main(count, Path(temporary) / "server")
