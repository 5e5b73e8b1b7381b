"""A database whose disk is full: a real PostgreSQL on a real file system of 160 MB."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entity_pipeline import migrations
from entity_pipeline.core.patience import patiently
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.resources.postgres import open_database
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, graph
from entity_pipeline_tests.reliability import small_disk_server
from entity_pipeline_tests.reliability.final_rows import final_rows, paid
from entity_pipeline_tests.reliability.reached import run_undisturbed, sample, sentences

_MOUNT_AND_RUN = 'mount -t tmpfs -o size=160m small "$0" && exec "$@"'


class SmallDisk:
    """Both databases on one disk; `fill` and `free` it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._process = subprocess.Popen(
            [
                "unshare",
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                _MOUNT_AND_RUN,
                str(folder),
                sys.executable,
                small_disk_server.__file__,
                str(folder),
            ],
            env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.assets_url, self.operation_url = self._hear().split()
        migrations.migrate(self.assets_url, self.operation_url)

    def fill(self) -> None:
        self._tell("fill")

    def free(self) -> None:
        self._tell("free")

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._hear() == "done"

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(folder)
    try:
        yield disk
    finally:
        disk.close()


def test_a_full_disk_is_named_costs_nothing_and_work_goes_on_when_there_is_room(
    database_server: DatabaseServer, fast_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = run_undisturbed(database_server)
    with (
        small_disk(fast_path / "small") as disk,
        open_database(disk.assets_url, max_connections=16) as assets_pool,
        open_database(disk.operation_url, max_connections=16) as operation_pool,
    ):
        assets_db = ClonedDatabase(disk.assets_url, assets_pool)
        operation_db = ClonedDatabase(disk.operation_url, operation_pool)
        with graph(assets_db, operation_db) as installation:
            sample(installation)
            disk.fill()
            with monkeypatch.context() as impatient:
                impatient.setitem(patiently.__kwdefaults__, "patience_s", 0.5)
                (intake,) = sentences(installation.run("intake_job", MONDAY, TUESDAY, succeeds=False))
                disk.free()
                installation.run("intake_job", MONDAY, TUESDAY)
                disk.fill()
                (review,) = sentences(
                    installation.run(
                        "enrichment_job", MONDAY, TUESDAY, enrichment_config(100), succeeds=False
                    )
                )
            for told in (intake, review):
                assert "/assets can't write: make room on its disk" in told
                assert "No space left on device" in told
            assert installation.gemini.requests["total"] == 0
            disk.free()
            installation.run_all(MONDAY, TUESDAY)
            assert (final_rows(installation), paid(installation)) == (undisturbed.rows, undisturbed.paid)
