"""The users of a folder's servers: the first one starts them, the last one stops them.

Each user holds a shared `flock` on `users`; starting, stopping and clearing happen under an exclusive one on the
marker. The kernel frees both when a process is killed, so no crash leaves a lock behind. A server may be left over,
though: the next user takes it over, and `stop` from any process ends it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

from entity_pipeline.core.failures import ConfigurationFailure, InputRejected

MARKER = ".entity-pipeline-sandbox"


class Server(Protocol):
    """One server of a folder. Both methods are called with the folder's exclusive lock held."""

    def ensure(self, *, alone: bool) -> None:
        """Make it run and answer. `alone` means that no other process uses it, so it may be restarted."""

    def stop(self) -> None:
        """Stop it, even if another process started it; do nothing when it does not run."""


class SharedServers:
    """The servers of one folder, shared by any number of processes of one person."""

    def __init__(self, directory: Path, servers: Sequence[Server]) -> None:
        self.directory = directory.expanduser().resolve()
        self._servers = servers
        self._users: int | None = None

    def start(self) -> None:
        """Become a user: start the servers that do not run yet and return when all of them answer.

        Raises:
            InputRejected: the folder holds something that is not a sandbox.
            ConfigurationFailure: the folder or a server can't be used; the sentence says what to do.
        """
        if self._users is not None:
            return
        with self._door():
            users = os.open(self.directory / "users", os.O_RDWR | os.O_CREAT, 0o600)
            alone = _try_exclusive(users)
            try:
                for server in self._servers:
                    server.ensure(alone=alone)
            except BaseException:
                os.close(users)
                if alone:
                    self._stop_servers()
                raise
            fcntl.flock(users, fcntl.LOCK_SH)
            self._users = users

    def stop(self) -> None:
        """Stop being a user; if there is no other one, stop the servers too."""
        if self._users is None and not self._is_ours():
            return
        with self._door():
            self._leave()

    def reset(self) -> None:
        """Stop the servers and delete the folder.

        Raises:
            InputRejected: the folder is not a sandbox, or another process uses it; nothing is deleted.
        """
        if not self.directory.exists():
            return
        if not self._is_ours():
            raise InputRejected(
                f"{self.directory} was not made by the sandbox (it has no {MARKER}): nothing was deleted."
            )
        with self._door():
            if not self._leave():
                raise InputRejected(
                    f"The sandbox in {self.directory} is in use: stop the process that uses it, then reset it."
                )
            for entry in self.directory.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name != MARKER:
                    entry.unlink()
            # Last, so that a half-deleted folder is still recognised as ours.
            (self.directory / MARKER).unlink()
            with suppress(OSError):
                self.directory.rmdir()

    def __enter__(self) -> "SharedServers":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _leave(self) -> bool:
        """Release our share; returns True when no user is left and the servers are stopped."""
        if self._users is not None:
            os.close(self._users)
            self._users = None
        users = os.open(self.directory / "users", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _try_exclusive(users):
                return False
            self._stop_servers()
            return True
        finally:
            os.close(users)

    def _stop_servers(self) -> None:
        for server in reversed(self._servers):
            server.stop()

    def _is_ours(self) -> bool:
        return (self.directory / MARKER).is_file()

    @contextmanager
    def _door(self) -> Iterator[None]:
        while True:
            try:
                self._claim()
                door = os.open(self.directory / MARKER, os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ConfigurationFailure(
                    f"The sandbox can't write to {self.directory} ({error.strerror}): "
                    "choose another folder, or make it writable."
                ) from error
            fcntl.flock(door, fcntl.LOCK_EX)
            # A reset may have deleted the locked file while we waited; then the lock protects nothing.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(door), os.stat(self.directory / MARKER)):
                    break
            os.close(door)
        try:
            yield
        finally:
            os.close(door)

    def _claim(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        entries = os.listdir(self.directory)
        if entries and MARKER not in entries:
            raise InputRejected(
                f"{self.directory} is not empty and was not made by the sandbox: choose another folder."
            )
        owner = self.directory.stat().st_uid
        if owner != os.geteuid():
            raise ConfigurationFailure(
                f"The sandbox in {self.directory} belongs to user {owner}, but you are user {os.geteuid()}: "
                "run as that user, or choose another folder."
            )


def _try_exclusive(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
