"""Values that a sandbox folder keeps between runs: ports, passwords and keys, in one file that only its owner can read.

Nothing here locks: a caller that writes holds the folder's lock (see `ownership`).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class State:
    """A small JSON object on disk, mode 0600."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "state.json"

    def get(self, name: str) -> Any:
        """The stored value, or None."""
        return self._read().get(name)

    def remember(self, name: str, value: Any) -> None:
        """Store one value; a crash leaves the old file or the new one."""
        content = self._read() | {name: value}
        partial = self._path.with_suffix(".partial")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, indent=1)
        os.replace(partial, self._path)

    def get_or_make(self, name: str, make: Callable[[], str]) -> str:
        """The stored text, which is made the first time."""
        if self.get(name) is None:
            self.remember(name, make())
        return str(self.get(name))

    def _read(self) -> dict[str, Any]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}
