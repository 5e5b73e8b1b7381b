"""Trouble inside a process: at a chosen step it is killed, a statement fails, or its connection breaks.

A step is a statement on one of the databases or a request to Gemini. Armed for one run at a time.
"""

import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import psycopg

from entity_pipeline.resources.gemini.client import GeminiClient

IN_PROCESS = ("statement timeout", "connection lost", "connection lost after the commit", "a bug")


@dataclass(frozen=True, slots=True)
class Sabotage:
    """What happens at the nth step; `how` is ``killed before``, ``killed after`` or one of `IN_PROCESS`."""

    step: int
    how: str

    @classmethod
    def drawn(cls, chance: random.Random, *, deadly: bool) -> "Sabotage":
        """A random step of a run, more often an early one, since most runs are short."""
        how = chance.choice(("killed before", "killed after") if deadly else IN_PROCESS)
        return cls(int(2 ** chance.uniform(0, 8)), how)


class _Bug(Exception):
    """A failure that no code of the pipeline expects."""


class Saboteur:
    """One a process; `arm` and `disarm` around a run. `struck` says whether the step was reached."""

    def __init__(self) -> None:
        self._plan: Sabotage | None = None
        self._steps = 0
        self._lock = threading.Lock()
        self._spared = threading.local()
        self.struck = False
        self._originals: list[tuple[type, str, Any]] = []
        self._wrap(psycopg.Cursor, "execute")
        self._wrap(psycopg.Cursor, "copy")
        self._wrap(GeminiClient, "send")

    def arm(self, plan: Sabotage | None) -> None:
        with self._lock:
            self._plan, self._steps, self.struck = plan, 0, False

    def disarm(self) -> bool:
        """Returns whether anything was done since `arm`."""
        with self._lock:
            self._plan = None
            return self.struck

    def leave(self) -> None:
        """Take the watch off this process again."""
        for owner, name, original in self._originals:
            setattr(owner, name, original)

    def spare_this_thread(self) -> None:
        """Leave this thread alone: its statements are not the pipeline's."""
        self._spared.yes = True

    def _wrap(self, owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        @wraps(original)
        def watched(this: Any, *arguments: Any, **keywords: Any) -> Any:
            how = self._due()
            if how is None:
                return original(this, *arguments, **keywords)
            return self._strike(how, lambda: original(this, *arguments, **keywords), this)

        self._originals.append((owner, name, original))
        setattr(owner, name, watched)

    def _due(self) -> str | None:
        with self._lock:
            if self._plan is None or getattr(self._spared, "yes", False):
                return None
            self._steps += 1
            if self._steps != self._plan.step:
                return None
            self.struck = True
            return self._plan.how

    def _strike(self, how: str, step: Callable[[], Any], where: Any) -> Any:
        if how == "killed before":
            os.kill(os.getpid(), signal.SIGKILL)
        if how in ("killed after", "connection lost after the commit"):
            result = step()
            if how == "killed after":
                os.kill(os.getpid(), signal.SIGKILL)
            if not isinstance(where, psycopg.Cursor):
                return result
        if how == "a bug" or not isinstance(where, psycopg.Cursor):
            raise _Bug("an unexpected failure (simulated)")
        if how == "statement timeout":
            timeout = psycopg.errors.QueryCanceled("canceling statement due to statement timeout (simulated)")
            timeout.raised_on = where.connection  # type: ignore[attr-defined]  # as resources/postgres.py marks it
            raise timeout
        where.connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly (simulated)")
