"""The product's files that one thread goes through, in the order in which their functions are called."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import entity_pipeline

_ROOT = Path(entity_pipeline.__file__).parent


class Trail:
    """`files` lists a file again each time it is called into after another; a return to a caller does not count."""

    def __init__(self, *, after: str, until: str, within: tuple[str, ...]) -> None:
        self._after = after
        self._until = until
        self._within = within
        self._is_on = False
        self.files: list[str] = []

    @property
    def returns(self) -> int:
        """Calls into a file that was already left."""
        return len(self.files) - len(set(self.files))

    @contextmanager
    def record(self) -> Iterator[None]:
        """Follow this thread from the return of the function `after` to the call of the function `until`."""
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_qualname
        if event == "return" and name == self._after:
            self._is_on = True
        elif event == "call" and name == self._until:
            self._is_on = False
        elif event == "call" and self._is_on:
            self._visit(frame.f_code.co_filename)

    def _visit(self, path: str) -> None:
        if not path.startswith(f"{_ROOT}/"):
            return
        file = Path(path).relative_to(_ROOT).as_posix()
        if file.startswith(self._within) and self.files[-1:] != [file]:
            self.files.append(file)
