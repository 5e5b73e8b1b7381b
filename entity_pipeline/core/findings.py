"""What `doctor` says: one line about one thing, and how bad it is. How it is found does not belong here."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`. ``error`` keeps runs from working, ``warn`` does not; `text` says what to do."""

    level: Level
    text: str
