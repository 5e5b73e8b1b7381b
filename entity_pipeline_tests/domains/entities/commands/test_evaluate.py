"""`evaluate` as a process, against a stand-in of Gemini over a real socket."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.domains.entities.commands.evaluate import _save
from entity_pipeline.domains.entities.commands.evaluation_report import bar
from entity_pipeline.domains.entities.evaluation.logic.proposal import Proposal
from entity_pipeline.domains.entities.links.logic.decide import RULES_VERSION
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.reviews import prompts
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.settings_rows import put_rows
from entity_pipeline_tests.standins import GeminiStandin


@pytest.fixture
def gemini() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=0) as standin:
        yield standin


@pytest.fixture
def command(
    tmp_path: Path, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> Command:
    brands = [
        name for name, truth in sorted(load_truth().items()) if truth.type == "brand" and not truth.gemini
    ]
    lines = [f"{name},brand" for name in brands[:120]]
    (tmp_path / "labels.csv").write_text("\n".join(["username,gold_type", *lines, "zz.other,other"]) + "\n")
    (tmp_path / "bad.csv").write_text("username,gold_type\nprada,maker\nno handle!,brand\n")
    (tmp_path / "latin.csv").write_bytes("username,gold_type,name_en\nx,brand,Zoë\n".encode("latin-1"))
    return Command(
        tmp_path,
        {
            "ASSETS_DATABASE_URL": assets_db.url,
            "OPERATION_DATABASE_URL": operation_db.url,
            "GEMINI_BASE_URL": gemini.url,
        },
    )


def switch_on(database: ClonedDatabase, enabled: bool = True) -> None:
    with database.connection() as connection:
        put_rows(connection, on=enabled, requests_per_minute=10_000, daily_grounding_cap=1_400)


def row(database: ClonedDatabase, query: str) -> Any:
    with database.connection() as connection:
        return connection.execute(query).fetchone()


def test_an_evaluation_is_announced_paid_for_once_kept_saved_and_compared(
    command: Command, assets_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    refused = command("evaluate", "labels.csv")
    assert "The pipeline 'entities' is switched off" in refused.failure
    switch_on(assets_db)
    dry = command("evaluate", "labels.csv", "--dry-run").out
    assert "121 labelled accounts: 0 have a stored reply" in dry
    assert "At most 121 paid calls with search would be made" in dry
    assert gemini.requests["total"] == 0
    first = command("evaluate", "labels.csv", "--limit", "40").out
    assert gemini.requests["total"] == 40
    second = command("evaluate", "labels.csv", "--precision", "0.9", "--save").out
    assert gemini.requests["total"] == 121
    for said in (dry, first, second):
        assert f"Answers come from {gemini.url.removeprefix('http://')}, not from Google" in said
        assert "the figures are simulated" in said
    assert "Saved for brand." in second
    settings, who = row(
        assets_db, "select settings, updated_by from pipeline_settings where platform = 'entity_enrichment'"
    )
    assert settings["thresholds"]["brand"] > 0.9
    assert len(settings["calibration"]["brand"]) >= 1
    assert who.startswith("cli")
    listed = command("evaluate", "--list").out
    ids = re.findall(r"│ ([0-9a-f]{8}) ", listed)
    assert len(ids) == 2
    assert "simulated" in listed
    compared = command("evaluate", "--compare", *ids).out
    assert "40 accounts asked in both" in compared
    assert "the figures are simulated" in compared
    kept = (
        "select model, prompt_version, rules_version, answers_from is not null, jsonb_array_length(answers) "
        "from review_evaluations order by created_at"
    )
    version = prompts.template(prompts.REVIEW).version
    assert row(assets_db, kept) == (DEFAULT_MODEL, version, RULES_VERSION, True, 40)
    switch_on(assets_db, enabled=False)
    replayed = command("evaluate", "labels.csv", "--replay").out
    assert "No call is paid for; 0 accounts are not covered." in replayed
    assert gemini.requests["total"] == 121


def test_unusable_input_is_reported_in_a_sentence(command: Command, gemini: GeminiStandin) -> None:
    bad = command("evaluate", "bad.csv")
    assert bad.failure.startswith("Nothing was asked. Correct bad.csv first")
    assert "not usable: bad.csv:2: the label 'maker' is not known" in bad.err
    assert "not usable: bad.csv:3: 'no handle!' is not a valid Instagram handle" in bad.err
    assert command("evaluate", "latin.csv").failure == (
        "latin.csv is not UTF-8 on line 2: save it as CSV in UTF-8."
    )
    assert command("evaluate", "none.csv").failure == "none.csv can't be read (FileNotFoundError)."
    assert command("evaluate").failure.startswith("Give FILE.csv with labelled accounts")
    assert "No evaluation has an id" in command("evaluate", "--compare", "ab", "cd").failure
    assert gemini.requests["total"] == 0


def test_without_a_proposal_nothing_is_saved(capsys: pytest.CaptureFixture[str]) -> None:
    _save(Console(), [Proposal(AccountType.BRAND, 3, None, None, None, "few")], None)
    assert "Nothing was saved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("share", "mark", "drawn"),
    [
        (0.5, 0.9, "██████████········│·"),
        (1.0, 1.0, "███████████████████│"),
        (0.0, 0.0, "│···················"),
    ],
)
def test_a_bar_has_its_mark_where_the_confidence_is(share: float, mark: float, drawn: str) -> None:
    assert bar(share, mark) == drawn
