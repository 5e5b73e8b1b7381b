"""How an evaluation is printed: figures, confusion, reliability and proposal, and two evaluations side by side.

Everything is printed from stored values, so that an old evaluation always reads the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entity_pipeline.cli.simulated import simulated_sentence
from entity_pipeline.domains.entities.evaluation.logic.comparison import Comparison, compare
from entity_pipeline.domains.entities.evaluation.logic.figures import CATALOG_TYPES, TYPES
from entity_pipeline.domains.entities.evaluation.queries.evaluations import Evaluation, NewEvaluation

_BAR = 20  # characters for the whole of a share
_DIFFERENCES_SHOWN = 40
_SAID = ("artist", "brand", "group", "other", "unknown", "none")


def print_evaluation(console: Console, evaluation: NewEvaluation | Evaluation, number: UUID) -> None:
    """All tables of one evaluation."""
    found = evaluation.figures
    console.print(
        f"Evaluation {str(number)[:8]}: {escape(evaluation.model)}, prompt {escape(evaluation.prompt_version)}, "
        f"schema {escape(evaluation.schema_version)}, rules {escape(evaluation.rules_version)}."
    )
    console.print(
        f"{found['labelled']:,} labelled accounts, {found['asked']:,} asked, {found['reviewed']:,} with a review."
    )
    for table in (
        _types(found),
        _confusion(found),
        *(_written(found, kind.value) for kind in CATALOG_TYPES),
        _reliability(found),
        _counts("reviews", found["outcomes"]),
        _counts("not written because", found["held"]),
        _hard_negatives(found),
        _fields(found),
        _proposal(evaluation.proposal),
    ):
        if table is not None:
            if evaluation.answers_from is not None:
                table.caption = "simulated"
            console.print(table)
    if evaluation.answers_from is not None:
        console.print(simulated_sentence(evaluation.answers_from))


def print_list(console: Console, evaluations: Sequence[Evaluation]) -> None:
    """One line per evaluation, newest first."""
    if not evaluations:
        console.print("There is no evaluation yet: run `entity-pipeline evaluate FILE.csv`.")
        return
    table = Table("id", "when (UTC)", "file", "model", "prompt", "rules", "asked", "right", "answers from")
    for item in evaluations:
        asked, right = item.figures["asked"], _right(item.figures)
        table.add_row(
            str(item.id)[:8],
            f"{item.created_at:%Y-%m-%d %H:%M}",
            *(escape(text) for text in (item.file, item.model, item.prompt_version, item.rules_version)),
            f"{asked:,}",
            _percent(right / asked if asked else None),
            escape(f"{item.answers_from}: simulated") if item.answers_from else "Google",
        )
    console.print(table)


def print_comparison(console: Console, first: Evaluation, second: Evaluation) -> None:
    """Figures over the accounts that both were asked about, and the accounts on which the two differ."""
    found = compare(first.answers, second.answers)
    names = [f"{str(item.id)[:8]} ({item.model}, prompt {item.prompt_version})" for item in (first, second)]
    if first.file_sha256 != second.file_sha256:
        console.print("The two files differ; only accounts with the same label in both are compared.")
    table = Table(
        "figure", *(escape(name) for name in names), title=f"{found.accounts:,} accounts asked in both"
    )
    for label, one, other in _figure_rows(found):
        table.add_row(label, one, other)
    console.print(table)
    console.print(
        f"Only the first is right on {found.only_first_right}, only the second on {found.only_second_right}. The "
        f"chance of a difference at least this large if both were equally good is {found.chance:.3f}."
    )
    if found.differences:
        table = Table(
            "account", "labelled", "first says", "second says", "first confidence", "second confidence"
        )
        for handle, truth, before, after in found.differences[:_DIFFERENCES_SHOWN]:
            table.add_row(
                handle,
                truth,
                *(_answer(row) for row in (before, after)),
                *(_number(row) for row in (before, after)),
            )
        more = len(found.differences) - _DIFFERENCES_SHOWN
        table.caption = f"and {more:,} more" if more > 0 else None
        console.print(table)
    for host in dict.fromkeys(item.answers_from for item in (first, second) if item.answers_from):
        console.print(simulated_sentence(host))


def _types(found: Mapping[str, Any]) -> Table:
    table = Table(
        "type", "labelled", "covered", "said", "right", "precision", "at least", "recall", title="Types"
    )
    for kind in TYPES:
        row = found["types"][kind.value]
        table.add_row(
            kind.value,
            f"{row['labelled']:,}",
            _percent(row["coverage"]),
            f"{row['said']:,}",
            f"{row['right']:,}",
            _percent(row["precision"]),
            _percent(row["precision_at_least"] if row["said"] else None),
            _percent(row["recall"]),
        )
    return table


def _confusion(found: Mapping[str, Any]) -> Table:
    table = Table("labelled, then said", *_SAID, title="Confusion")
    for truth, row in found["confusion"].items():
        table.add_row(truth, *(f"{row[said]:,}" if row.get(said) else "·" for said in _SAID))
    return table


def _written(found: Mapping[str, Any], kind: str) -> Table | None:
    rows = found["written"][kind]
    if not any(row["written"] for row in rows):
        return None
    table = Table(
        "threshold",
        "written",
        "right",
        "precision",
        "at least",
        "of the labelled",
        title=f"Written as {kind}",
    )
    for row in rows:
        table.add_row(
            f"{row['threshold']:g}" + (" (now)" if row["current"] else ""),
            f"{row['written']:,}",
            f"{row['right']:,}",
            _percent(row["precision"]),
            _percent(row["at_least"] if row["written"] else None),
            _percent(row["reach"]),
        )
    return table


def _reliability(found: Mapping[str, Any]) -> Table:
    """A bar for the share of right answers; the mark is where the confidence says it should end."""
    error, brier = found["calibration_error"], found["brier"]
    title = "Confidence (│) against truth (█)"
    if error is not None:
        title += f", calibration error {error:.3f}, Brier {brier:.3f}"
    table = Table("confidence", "accounts", "mean", "right", "0 to 100 %", title=title)
    for row in found["reliability"]:
        if row["accounts"]:
            share = row["right"] / row["accounts"]
            table.add_row(
                f"{row['from']:g} to {row['to']:g}",
                f"{row['accounts']:,}",
                _percent(row["confidence"]),
                _percent(share),
                bar(share, row["confidence"]),
            )
    return table


def bar(share: float, mark: float) -> str:
    """``share`` (0 to 1) as blocks with a mark at ``mark``."""
    cells = ["█" if cell < round(share * _BAR) else "·" for cell in range(_BAR)]
    cells[min(int(mark * _BAR), _BAR - 1)] = "│"
    return "".join(cells)


def _counts(title: str, counts: Mapping[str, int]) -> Table | None:
    if not counts:
        return None
    table = Table(title, "accounts")
    for name, count in counts.items():
        table.add_row(escape(name), f"{count:,}")
    return table


def _hard_negatives(found: Mapping[str, Any]) -> Table | None:
    rows = found["hard_negatives"]
    if not rows:
        return None
    table = Table("looks like one of ours", "asked", "taken for one", "would be written")
    for kind, row in rows.items():
        table.add_row(escape(kind), *(f"{row[key]:,}" for key in ("asked", "said_catalog_type", "written")))
    return table


def _fields(found: Mapping[str, Any]) -> Table | None:
    rows = [(name, row) for name, row in found["fields"].items() if row["given"]]
    if not rows:
        return None
    table = Table("where the type is right", "given and labelled", "as labelled")
    for name, row in rows:
        table.add_row(
            name, f"{row['given']:,}", f"{row['right']:,} ({_percent(row['right'] / row['given'])})"
        )
    return table


def _proposal(proposals: Sequence[Mapping[str, Any]]) -> Table:
    target = proposals[0]["target"]
    title = f"Proposal for a precision of at least {target:.1%}, proven with 95 % certainty"
    table = Table("type", "threshold", "calibration", "proof", title=title)
    for row in proposals:
        if row["threshold"] is None:
            table.add_row(row["type"], "none", "none", row["why"])
            continue
        table.add_row(
            row["type"],
            f"{row['threshold']:g}",
            " ".join(f"{raw:g}→{calibrated:g}" for raw, calibrated in row["calibration"]),
            f"{row['right']:,} of {row['written']:,} right: at least {_percent(row['at_least'])}",
        )
    return table


def _figure_rows(found: Comparison) -> list[tuple[str, str, str]]:
    rows = [("type is right", _percent(found.first.right), _percent(found.second.right))]
    rows += [("written automatically", f"{found.first.written:,}", f"{found.second.written:,}")]
    rows += [("of these right", _percent(found.first.written_right), _percent(found.second.written_right))]
    for kind in TYPES:
        for label, one, other in (
            ("precision", found.first.precision, found.second.precision),
            ("recall", found.first.recall, found.second.recall),
        ):
            rows.append((f"{kind.value}: {label}", _percent(one[kind.value]), _percent(other[kind.value])))
    return rows


def _right(found: Mapping[str, Any]) -> int:
    return sum(row["right"] for row in found["types"].values())


def _answer(row: Mapping[str, Any]) -> str:
    return f"{row['said'] or escape(row['outcome'])}{', written' if row['written'] else ''}"


def _number(row: Mapping[str, Any]) -> str:
    return "–" if row["confidence"] is None else f"{row['confidence']:.2f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
