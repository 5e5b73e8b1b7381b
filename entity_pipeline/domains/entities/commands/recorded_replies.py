"""`evaluate --replies`: recorded replies judged without a key or a database."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.evaluation.logic.recorded_replies import (
    JudgedReply,
    Score,
    judge_reply,
    read_replies,
    scores,
)
from entity_pipeline.domains.entities.settings import EntitySettings


def judge_replies(file: Path, *, as_json: bool) -> None:
    """Print the decision about each reply, and the coverage and precision of the gate where `right` is given.

    Raises:
        InputRejected: the file can't be read, or one of its lines is not a recorded reply.
    """
    settings = EntitySettings()
    try:
        with file.open(encoding="utf-8-sig") as lines:
            judged = [judge_reply(recorded, settings) for recorded in read_replies(lines)]
    except (OSError, UnicodeDecodeError) as error:
        raise InputRejected(f"{file} can't be read as UTF-8 text: {error}.") from None
    if as_json:
        for one in judged:
            click.echo(json.dumps(_line(one), ensure_ascii=False))
        return
    console = Console(soft_wrap=True)
    console.print(_table(judged))
    found = scores(judged)
    if found["all"].wanted or found["all"].written:
        console.print(_scores(found))
    wrong = [one for one in judged if one.is_right is False]
    known = sum(one.is_right is not None for one in judged)
    console.print(f"{len(judged):,} replies, {known:,} with what is right, {len(wrong):,} judged otherwise.")


def _line(one: JudgedReply) -> dict[str, object]:
    return {
        "case": one.recorded.case,
        "handle": one.recorded.handle,
        "decision": one.decision.value,
        "reasons": list(one.reasons),
    }


def _table(judged: list[JudgedReply]) -> Table:
    table = Table("case", "handle", "decision", "reasons", "right")
    for one in judged:
        mark = {True: "yes", False: f"no: {one.recorded.right}", None: ""}[one.is_right]
        cells = (one.recorded.case, one.recorded.handle, one.decision.value, ", ".join(one.reasons), mark)
        table.add_row(*map(escape, cells))
    return table


def _scores(found: dict[str, Score]) -> Table:
    table = Table("type", "should be written", "are", "at least", "written", "rightly", "at least")
    for kind, score in sorted(found.items(), key=lambda item: (item[0] != "all", item[0])):
        table.add_row(
            kind,
            f"{score.wanted:,}",
            f"{score.covered:,}",
            f"{score.coverage_at_least:.0%}" if score.wanted else "",
            f"{score.written:,}",
            f"{score.right:,}",
            f"{score.precision_at_least:.0%}" if score.written else "",
        )
    return table
