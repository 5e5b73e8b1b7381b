"""Instants as text: for storage ISO 8601 in UTC with whole seconds, and for sentences.

Stored texts are compared as texts, in SQL and in Python, so every stage writes and reads them through here.
"""

from datetime import UTC, datetime, timedelta


def whole_second(moment: datetime) -> datetime:
    """The aware instant in UTC, rounded up to a second: something due too early is worse than a second late."""
    return (moment.astimezone(UTC) + timedelta(microseconds=999_999)).replace(microsecond=0)


def utc_text(moment: datetime) -> str:
    """The aware instant as ``2026-11-21T00:00:00+00:00``, rounded up to a second."""
    return whole_second(moment).isoformat()


def minute_in_words(moment: datetime) -> str:
    """The aware instant as a sentence for people in English names it: ``2026-11-21 00:00 UTC``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def read_utc(value: object) -> datetime | None:
    """The instant of such a text in UTC; a text without a zone is taken as UTC. None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # The project stores nothing older, and a later instant could overflow when it is rounded up.
    return moment if 1970 <= moment.year < 9999 else None
