"""The labelled accounts that an evaluation measures against, read from a CSV file.

One bad line rejects the whole file, because a guessed label would look like an error of the model.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from entity_pipeline.core.text.csv_rows import read_csv
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.tags.logic.post_files import BadRow

NEEDED_COLUMNS = ("username", "gold_type")
COLUMNS = (
    *NEEDED_COLUMNS,
    *("hard_negative", "name_en", "name_ko", "name_ja", "country", "weak_region"),
    *("wikidata", "group", "source", "evidence"),
)
LEFT_OUT = "ambiguous"
LABELS = ("artist", "brand", "group", "other")


@dataclass(frozen=True, slots=True)
class Labelled:
    """The true values of one account. `kind` is the kind of `other` account, such as beauty or tech."""

    handle: str
    truth: AccountType
    kind: str = ""
    name_en: str | None = None
    name_ko: str | None = None
    country: str | None = None  # of brands only


@dataclass(frozen=True, slots=True)
class Labels:
    """The content of a file; `ambiguous` accounts are left out of every figure."""

    accounts: tuple[Labelled, ...]
    ambiguous: int
    problems: tuple[BadRow, ...]


def read_labels(lines: Iterable[str], file: str) -> Labels:
    """Read a CSV file with a header line and the columns in `COLUMNS`, separated by commas, semicolons or tabs."""
    names, rows = read_csv(lines)
    if wrong := _header_problems(names):
        return Labels((), 0, tuple(BadRow(file, 1, reason) for reason in wrong))
    found: dict[str, Labelled] = {}
    first_line: dict[str, int] = {}
    problems: list[BadRow] = []
    for line, values in rows:
        account = f"it is not CSV ({values})" if isinstance(values, csv.Error) else _account(names, values)
        if isinstance(account, str):
            problems.append(BadRow(file, line, account))
        elif account.handle in found:
            reason = f"'{account.handle}' is on line {first_line[account.handle]} already"
            problems.append(BadRow(file, line, reason))
        else:
            found[account.handle], first_line[account.handle] = account, line
    scored = tuple(account for account in found.values() if account.truth is not AccountType.UNKNOWN)
    return Labels(scored, len(found) - len(scored), tuple(problems))


def _header_problems(names: list[str]) -> list[str]:
    missing = [name for name in NEEDED_COLUMNS if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    found = [f"the header has no column {' or '.join(missing)}"] if missing else []
    if unknown:
        found.append(
            f"the header has unknown columns ({', '.join(unknown)}); the known ones are {', '.join(COLUMNS)}"
        )
    return [*found, *(f"the header has the column {name} twice" for name in twice if name in COLUMNS)]


def _account(names: list[str], values: list[str]) -> Labelled | str:
    """The account, with `unknown` for a label that is left out, or what is wrong with the line."""
    if len(values) != len(names):
        return f"it has {len(values)} values, but the header has {len(names)} columns"
    row: Mapping[str, str] = {name: value.strip() for name, value in zip(names, values, strict=True)}
    handle = handle_or_none(row["username"])
    if handle is None:
        return f"'{row['username'][:60]}' is not a valid Instagram handle"
    label = row["gold_type"].lower()
    if label not in (*LABELS, LEFT_OUT):
        return f"the label '{row['gold_type'][:60]}' is not known: write {', '.join(LABELS)} or {LEFT_OUT}"
    country = row.get("country", "").upper()
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        return f"the country '{row['country'][:60]}' is not a two-letter code"
    return Labelled(
        handle=handle,
        truth=AccountType.UNKNOWN if label == LEFT_OUT else AccountType(label),
        kind=row.get("hard_negative", ""),
        name_en=row.get("name_en") or None,
        name_ko=row.get("name_ko") or None,
        country=country if country and label == "brand" else None,
    )
