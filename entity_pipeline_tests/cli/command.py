"""The command as a person runs it: a separate process with its own environment."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import entity_pipeline

LIMIT_S = 60


@dataclass(frozen=True)
class Ended:
    """How a command ended; `said` is all of its output."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def failure(self) -> str:
        """The one sentence of a command that failed."""
        assert self.code != 0, self.said
        assert "Traceback" not in self.said, self.said
        sentences = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(sentences) == 1, self.said
        return sentences[0].removeprefix("error: ")


class Command:
    """`entity-pipeline` in a folder, with these variables and no others of this project."""

    def __init__(self, folder: Path, variables: Mapping[str, str], limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(Path(entity_pipeline.__file__).parents[1]),
            "COLUMNS": "120",
            "TZ": "UTC",
            **variables,
        }

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        """Run it to its end."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=self._limit_s)
        return Ended(process.returncode, out, err)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start it; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "entity_pipeline", *arguments],
            cwd=self._folder,
            env=self._environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
