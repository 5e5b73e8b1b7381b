"""Single values of stored JSON, which may be anything because models, Instagram and people write it."""

from datetime import UTC, datetime


def can_be_stored(value: str) -> bool:
    """Whether PostgreSQL can store the text at all."""
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def share(value: object) -> float | None:
    """A number from 0 to 1, or None."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if usable else None  # type: ignore[arg-type]


def whole(value: object) -> int:
    """A count, or 0."""
    return value if type(value) is int and 0 <= value < 2**31 else 0


def instant(value: object) -> datetime | None:
    """An ISO 8601 text as an instant, or None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def text(value: object) -> str | None:
    """`value` if it is a text that is not empty, else None."""
    return value if isinstance(value, str) and value.strip() else None


def texts(value: object) -> list[str]:
    """The texts in a list; empty when it is not a list."""
    return [item for item in value if text(item)] if isinstance(value, list) else []
