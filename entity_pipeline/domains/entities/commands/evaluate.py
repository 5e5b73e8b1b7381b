"""`evaluate`: measure reviews against labelled accounts. The reviews are made like the pipeline's, within its budget.

It writes no account and no catalog row: replies go into the ledger, the result into `review_evaluations`.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from rich.console import Console

from entity_pipeline.cli.progress import review_progress
from entity_pipeline.cli.quota import print_quota
from entity_pipeline.cli.services import services
from entity_pipeline.cli.settings import assign, who
from entity_pipeline.cli.simulated import simulated_sentence
from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.core.gemini.access import stand_in_host
from entity_pipeline.core.settings import Closed, SettingsAccess, parse
from entity_pipeline.core.settings_change import Assignment
from entity_pipeline.core.text.csv_encoding import encoding_of
from entity_pipeline.domains.entities.commands.evaluation_report import (
    print_comparison,
    print_evaluation,
    print_list,
)
from entity_pipeline.domains.entities.evaluation.labelled_reviewer import (
    LabelledReviewer,
    NotHeld,
    work_through,
)
from entity_pipeline.domains.entities.evaluation.logic.figures import answer_rows, figures
from entity_pipeline.domains.entities.evaluation.logic.judging import LabelledAnswer, judge
from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled, read_labels
from entity_pipeline.domains.entities.evaluation.logic.proposal import Proposal, as_record, propose
from entity_pipeline.domains.entities.evaluation.queries.evaluations import NewEvaluation, find, keep, newest
from entity_pipeline.domains.entities.links.logic.decide import RULES_VERSION
from entity_pipeline.domains.entities.reviews import prompts
from entity_pipeline.domains.entities.reviews.logic.input_hash import SCHEMA_VERSION
from entity_pipeline.domains.entities.reviews.question import STEP, ReviewKind, review_config_hash
from entity_pipeline.domains.entities.settings import EntitySettings

_SHOWN = 20
_LARGEST_FILE_BYTES = 64_000_000
_LISTED = 50


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of one evaluation; `precision` is 0 to 1."""

    precision: float
    limit: int | None = None
    replay: bool = False
    dry_run: bool = False
    save: bool = False


def evaluate(file: Path, wish: Wish) -> None:
    """Measure, print and store; with `save`, put the proposal into the settings.

    Raises:
        InputRejected: the file can't be used.
        ConfigurationFailure: the pipeline is switched off and something would be paid for.
    """
    accounts, digest = _accounts(file, wish.limit)
    console = Console(soft_wrap=True)
    with services() as built:
        host = stand_in_host(built.gemini.base_url)
        settings = _settings(built.settings, paying=not wish.replay and not wish.dry_run)
        stored = _stored(built.gemini, [account.handle for account in accounts])
        _announce(console, built, wish, len(accounts), len(stored), host)
        if wish.dry_run:
            return
        reviewer = LabelledReviewer(
            built.assets_db,
            built.operation_db,
            built.gemini,
            settings,
            accounts,
            run_id=f"evaluate-{uuid4()}",
            only_stored=stored if wish.replay else None,
        )
        held_because = _work(built, reviewer, settings, wish, accounts, paid=len(accounts) - len(stored))
        proposals = propose(reviewer.answers, settings, wish.precision)
        evaluation = NewEvaluation(
            created_by=who().label,
            file=file.name,
            file_sha256=digest,
            answers_from=host,
            model=built.gemini.model,
            proposal=[as_record(proposal, wish.precision) for proposal in proposals],
            **_measured(reviewer.answers, settings),
        )
        with built.assets_db.connection() as connection:
            number = keep(connection, evaluation)
    print_evaluation(console, evaluation, number)
    if held_because:
        console.print(
            f"Stopped before the end: {held_because} Run it again to continue; paid replies are replayed."
        )
    if wish.save:
        _save(console, proposals, host)


def _measured(answers: Sequence[LabelledAnswer], settings: EntitySettings) -> dict[str, Any]:
    """The stored values about the answers, and about the rules that they were judged by."""
    judged = [judge(answer, settings) for answer in answers]
    return {
        "prompt_version": prompts.template(prompts.REVIEW).version,
        "schema_version": SCHEMA_VERSION,
        "rules_version": RULES_VERSION,
        "settings": settings.model_dump(mode="json", include={"thresholds", "calibration", "evidence_level"}),
        "figures": figures(judged, settings),
        "answers": answer_rows(judged, settings),
    }


def show_list() -> None:
    """Print the newest evaluations."""
    with services() as built, built.assets_db.connection() as connection:
        found = newest(connection, _LISTED)
    print_list(Console(soft_wrap=True), found)


def compare(first: str, second: str) -> None:
    """Print two evaluations side by side, and the accounts on which they differ."""
    with services() as built, built.assets_db.connection() as connection:
        one, other = find(connection, first), find(connection, second)
    print_comparison(Console(soft_wrap=True), one, other)


def _accounts(file: Path, limit: int | None) -> tuple[list[Labelled], str]:
    """The labelled accounts, and the file's sha256. A limit always takes the same ones; a larger one includes them."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST_FILE_BYTES + 1)
        text = data.decode(encoding_of(io.BytesIO(data)))
    except OSError as error:
        raise InputRejected(f"{file} can't be read ({type(error).__name__}).") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputRejected(f"{file} is not UTF-8 on line {line}: save it as CSV in UTF-8.") from None
    if len(data) > _LARGEST_FILE_BYTES:
        raise InputRejected(f"{file} is larger than {_LARGEST_FILE_BYTES // 1_000_000} MB.")
    labels = read_labels(io.StringIO(text, newline=""), file.name)
    for bad in labels.problems[:_SHOWN]:
        click.echo(f"not usable: {bad}", err=True)
    if len(labels.problems) > _SHOWN:
        click.echo(f"not usable: {len(labels.problems) - _SHOWN} more lines", err=True)
    if labels.problems:
        raise InputRejected(f"Nothing was asked. Correct {file} first; its problems are listed above.")
    if not labels.accounts:
        raise InputRejected(f"{file} holds no labelled account.")
    ordered = sorted(labels.accounts, key=_place)
    return ordered[:limit], hashlib.sha256(data).hexdigest()


def _place(account: Labelled) -> bytes:
    """The account's position in the order that a limit cuts: the same in every file that holds it."""
    return hashlib.sha256(f"evaluation order {account.handle}".encode()).digest()


def _settings(stored: SettingsAccess, *, paying: bool) -> EntitySettings:
    """The pipeline's own settings. If nothing is paid for, its switch may be off."""
    state = stored.gate(EntitySettings)
    if not isinstance(state, Closed):
        return state.settings
    if paying or state.reason.key == "unreadable_settings":
        raise ConfigurationFailure(str(state.reason))
    row = stored.row(EntitySettings)
    try:
        return parse(EntitySettings, row.settings if row is not None else None)
    except ValueError as error:
        raise ConfigurationFailure(
            f"The settings of '{EntitySettings.row}' can't be used: {error}."
        ) from None


def _stored(gemini: Any, handles: Sequence[str]) -> frozenset[str]:
    found: frozenset[str] = gemini.ledger.stored_replies(
        STEP, ReviewKind.REVIEW, review_config_hash(gemini.model), handles
    )
    return found


def _announce(
    console: Console,
    built: Any,
    wish: Wish,
    accounts: int,
    stored: int,
    host: str | None,
) -> None:
    """Announce the cost before anything is paid for."""
    if host is not None:
        console.print(simulated_sentence(host))
    if wish.replay:
        console.print(
            f"{stored:,} of {accounts:,} labelled accounts have a stored reply and are replayed. "
            f"No call is paid for; {accounts - stored:,} accounts are not covered."
        )
        return
    console.print(
        f"{accounts:,} labelled accounts: {stored:,} have a stored reply and are replayed. "
        f"At most {accounts - stored:,} paid calls with search would be made, and one without for each reply "
        "that can't be read."
    )
    print_quota(console, built.gemini.quota())


def _work(
    built: Any,
    reviewer: LabelledReviewer,
    settings: EntitySettings,
    wish: Wish,
    accounts: Sequence[Labelled],
    *,
    paid: int,
) -> str:
    handles = [account.handle for account in accounts]
    if wish.replay:
        return work_through(reviewer, NotHeld(built.settings), settings.concurrency, handles)
    built.gemini.sweep()
    with review_progress(built.gemini.ledger, paid, datetime.now(UTC)):
        return work_through(reviewer, built.settings, settings.concurrency, handles)


def _save(console: Console, proposals: Sequence[Proposal], host: str | None) -> None:
    """Save both values of a type or neither: a threshold is meaningless under another calibration."""
    usable = [item for item in proposals if item.threshold is not None and item.points is not None]
    if not usable:
        console.print("Nothing was saved because there is no proposal.")
        return
    if host is not None:
        console.print(simulated_sentence(host))
    assignments = []
    for item in usable:
        name = item.account_type.value
        assignments.append(Assignment(("thresholds", name), item.threshold))
        # In JSON form: a row takes lists, and the points are tuples.
        points = [list(point) for point in item.points or ()]
        assignments.append(Assignment(("calibration", name), points))
    assign([EntitySettings], None, assignments)
    names = ", ".join(item.account_type.value for item in usable)
    console.print(f"Saved for {names}. Earlier reviews keep their confidence until they are repeated.")
