"""The requests to a stand-in by subject, which the demo compares with the ledger."""

from collections import Counter
from threading import Lock
from typing import Any


class RequestCounts:
    """Thread-safe counters. `grounded` is kept by the Gemini stand-in only."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._grounded = 0
        self._by_subject: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()

    def seen(self, subject: str, *, grounded: bool = False) -> int:
        """Count one request; returns its number for this subject, from 1."""
        with self._lock:
            self._grounded += grounded
            self._by_subject[subject] += 1
            return self._by_subject[subject]

    def answered(self, status: str) -> None:
        """Count one answer by HTTP status (or ``"dropped"``)."""
        with self._lock:
            self._by_status[status] += 1

    def snapshot(self) -> dict[str, Any]:
        """``{"total", "grounded", "by_subject", "by_status"}`` with the busiest subjects first."""
        with self._lock:
            return {
                "total": self._by_subject.total(),
                "grounded": self._grounded,
                "by_subject": dict(self._by_subject.most_common()),
                "by_status": dict(sorted(self._by_status.items())),
            }
