"""The quality of a set of reviews, measured against labelled accounts: the printed and stored figures. Pure.

A failed reply counts against the recall. An account that the model was not asked about counts only in the coverage.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from entity_pipeline.core.proportions import Share
from entity_pipeline.domains.entities.evaluation.logic.judging import Judged
from entity_pipeline.domains.entities.language.same_name import normalise_name
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.settings import EntitySettings

CATALOG_TYPES = (AccountType.ARTIST, AccountType.BRAND, AccountType.GROUP)
TYPES = (*CATALOG_TYPES, AccountType.OTHER)
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)


def threshold_of(account_type: AccountType, settings: EntitySettings) -> float:
    """The settings' threshold of a type that has a place in the catalog."""
    value: float = getattr(settings.thresholds, account_type.value)
    return value


def precision_of_written(judged: Iterable[Judged], account_type: AccountType, threshold: float) -> Share:
    """The share of accounts written as this type that are of this type."""
    written = [item for item in judged if item.said is account_type and item.written(threshold)]
    return Share(sum(item.right for item in written), len(written))


def figures(judged: Sequence[Judged], settings: EntitySettings) -> dict[str, Any]:
    """All printed and stored figures, as JSON values."""
    return {
        "labelled": len(judged),
        "asked": sum(item.asked for item in judged),
        "reviewed": sum(item.said is not None for item in judged),
        "types": {kind.value: _of_type(judged, kind) for kind in TYPES},
        "written": {kind.value: _written(judged, kind, settings) for kind in CATALOG_TYPES},
        "confusion": _confusion(judged),
        "hard_negatives": _hard_negatives(judged, settings),
        "held": _counted(reason for item in judged for reason in item.held),
        "outcomes": _counted(item.outcome for item in judged),
        "fields": _fields(judged),
        **_reliability(judged),
    }


def _of_type(judged: Sequence[Judged], kind: AccountType) -> dict[str, Any]:
    """Precision of the answers, recall of the asked accounts, coverage of the labelled accounts."""
    labelled = [item for item in judged if item.labelled.truth is kind]
    said = [item for item in judged if item.said is kind]
    right = sum(item.right for item in said)
    asked = sum(item.asked for item in labelled)
    return {
        "labelled": len(labelled),
        "reviewed": sum(item.said is not None for item in labelled),
        "said": len(said),
        "right": right,
        "precision": Share(right, len(said)).share,
        "precision_at_least": Share(right, len(said)).at_least,
        "recall": Share(right, asked).share,
        "coverage": Share(sum(item.said is not None for item in labelled), len(labelled)).share,
    }


def _written(judged: Sequence[Judged], kind: AccountType, settings: EntitySettings) -> list[dict[str, Any]]:
    """One row per threshold; `reach` is the share of the asked accounts of this type that would be written."""
    asked = sum(item.asked for item in judged if item.labelled.truth is kind)
    current = threshold_of(kind, settings)
    rows = []
    for threshold in sorted({*THRESHOLDS, current}):
        found = precision_of_written(judged, kind, threshold)
        rows.append(
            {
                "threshold": threshold,
                "current": threshold == current,
                "written": found.total,
                "right": found.right,
                "precision": found.share,
                "at_least": found.at_least,
                "reach": Share(found.right, asked).share,
            }
        )
    return rows


def _confusion(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Counts by labelled type and answered type; `none` means asked without a usable review."""
    table: dict[str, dict[str, int]] = {}
    for kind in TYPES:
        row = Counter(
            "none" if item.said is None else item.said.value
            for item in judged
            if item.labelled.truth is kind and item.asked
        )
        table[kind.value] = dict(row)
    return table


def _hard_negatives(judged: Sequence[Judged], settings: EntitySettings) -> dict[str, dict[str, int]]:
    """Accounts that look like brands and are not: how many were asked, taken for one, and would be written."""
    table: dict[str, dict[str, int]] = {}
    for item in judged:
        if item.labelled.kind and item.asked:
            row = table.setdefault(item.labelled.kind, {"asked": 0, "said_catalog_type": 0, "written": 0})
            wrong = item.said in CATALOG_TYPES and not item.right
            row["asked"] += 1
            row["said_catalog_type"] += wrong
            row["written"] += bool(
                wrong and item.said is not None and item.written(threshold_of(item.said, settings))
            )
    return dict(sorted(table.items()))


def _fields(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Names and countries that were given, where the type is right and the label knows them."""
    table = {field: {"given": 0, "right": 0} for field in ("name_en", "name_ko", "country")}
    for item in judged:
        if item.review is None or not item.right:
            continue
        pairs = (
            ("name_en", normalise_name(item.labelled.name_en), normalise_name(item.review.name_en)),
            ("name_ko", normalise_name(item.labelled.name_ko), normalise_name(item.review.name_ko)),
            ("country", item.labelled.country, item.review.country_of_origin),
        )
        for field, known, given in pairs:
            if known and given:
                table[field]["given"] += 1
                table[field]["right"] += known == given
    return table


def _reliability(judged: Sequence[Judged]) -> dict[str, Any]:
    """Confidence against truth for every review that names a type; `error` is the expected calibration error."""
    cases = [
        (item.confidence, item.right) for item in judged if item.confidence is not None and item.said in TYPES
    ]
    rows: list[dict[str, Any]] = []
    for low, high in pairwise(BINS):
        found = [case for case in cases if low <= case[0] < high or case[0] == high == BINS[-1]]
        right, total = sum(case[1] for case in found), len(found)
        mean = sum(case[0] for case in found) / total if total else None
        rows.append({"from": low, "to": high, "accounts": total, "confidence": mean, "right": right})
    gaps = (abs(row["confidence"] * row["accounts"] - row["right"]) for row in rows if row["accounts"])
    brier = sum((confidence - right) ** 2 for confidence, right in cases)
    return {
        "reliability": rows,
        "calibration_error": sum(gaps) / len(cases) if cases else None,
        "brier": brier / len(cases) if cases else None,
    }


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def answer_rows(judged: Sequence[Judged], settings: EntitySettings) -> list[Mapping[str, Any]]:
    """One object per labelled account, by handle, for `review_evaluations.answers`."""
    return [
        {
            "handle": item.labelled.handle,
            "truth": item.labelled.truth.value,
            "outcome": item.outcome,
            "said": item.said.value if item.said else None,
            "raw": item.raw,
            "confidence": item.confidence,
            "written": item.said in CATALOG_TYPES
            and item.said is not None
            and item.written(threshold_of(item.said, settings)),
            "held": list(item.held),
        }
        for item in sorted(judged, key=lambda item: item.labelled.handle)
    ]
