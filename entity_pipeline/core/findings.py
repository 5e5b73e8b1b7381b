"""One line of `doctor`, and how serious it is. The checks that produce it do not belong here."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`. ``error`` keeps runs from working, ``warn`` does not; `text` says what to do."""

    level: Level
    text: str
