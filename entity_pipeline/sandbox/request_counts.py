"""What a stand-in was asked, by handle: the demo compares it with the ledger."""

from collections import Counter
from threading import Lock
from typing import Any


class RequestCounts:
    """Thread-safe counters. `grounded` is kept by the Gemini stand-in only."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._grounded = 0
        self._by_username: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()

    def seen(self, username: str, *, grounded: bool = False) -> int:
        """Count one request; returns which one of this handle it is, from 1."""
        with self._lock:
            self._grounded += grounded
            self._by_username[username] += 1
            return self._by_username[username]

    def answered(self, status: str) -> None:
        """Count one answer by HTTP status (or ``"dropped"``)."""
        with self._lock:
            self._by_status[status] += 1

    def snapshot(self) -> dict[str, Any]:
        """``{"total", "grounded", "by_username", "by_status"}`` with the busiest handles first."""
        with self._lock:
            return {
                "total": self._by_username.total(),
                "grounded": self._grounded,
                "by_username": dict(self._by_username.most_common()),
                "by_status": dict(sorted(self._by_status.items())),
            }
