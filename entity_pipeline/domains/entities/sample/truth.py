"""The true facts of each handle in the sample: the two stand-ins answer from them and the expectations count them.

Accounts whose handle ends in ``madeup`` do not exist; every odd behaviour belongs to one of those, or is a harmless
question of form (a trailing comma, a label in Korean).
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Truth:
    """One account of the sample. Empty columns are None; `country` ``"NA"`` is Namibia."""

    username: str
    type: str
    role: str
    name_en: str
    name_ko: str | None
    country: str | None
    region: str | None
    primary_username: str | None
    evidence: str
    source: str
    gemini: str = ""  # an odd behaviour of the Gemini stand-in, or plain
    instagram: str = ""  # an odd behaviour of the Instagram stand-in, or plain
    first_day: int | None = None  # 0 to 6; None leaves it to a hash
    posts: int | None = None

    @property
    def made_up(self) -> bool:
        return self.source == "made up"


@cache
def load_truth() -> Mapping[str, Truth]:
    """Every account of the sample by handle, in the order of the files; columns as in `sample/README.md`."""
    behaviours = {row["username"]: row for row in _rows("behaviours.csv")}
    accounts = {}
    for row in [*_rows("handles.csv"), *_rows("made_up.csv")]:
        username = row["username"]
        behaviour = behaviours.pop(username, {})
        accounts[username] = Truth(
            username=username,
            type=row["type"],
            role=row["role"],
            name_en=row["name_en"],
            name_ko=row["name_ko"] or None,
            country=row["country"] or None,
            region=row["region"] or None,
            primary_username=row["primary_username"] or None,
            evidence=row["evidence"],
            source=row["source"],
            gemini=behaviour.get("gemini", ""),
            instagram=behaviour.get("instagram", ""),
            first_day=int(behaviour["first_day"]) if behaviour else None,
            posts=int(behaviour["posts"]) if behaviour else None,
        )
    if behaviours:
        raise ValueError(f"behaviours.csv names accounts that no file describes: {sorted(behaviours)}")
    return accounts


def _rows(name: str) -> list[dict[str, str]]:
    text = files("entity_pipeline.domains.entities.sample").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))
