"""`export`: the page's list as a file, whole or not at all, for any reader."""

import csv
import io
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from entity_pipeline.cli.export_file import form_of
from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, InputRejected
from entity_pipeline.core.text.csv_cells import cell_of
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep_all
from entity_pipeline.domains.entities.commands.export import export, jsonl_chunks, query_of
from entity_pipeline.domains.entities.page.exports import csv_chunks, export_rows
from entity_pipeline.domains.entities.page.queue_values import ExportRow, QueueQuery
from entity_pipeline_tests.admin.installations import insert_account
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.page.page_data import fill_queue

ALL: Mapping[str, str | None] = {}


@pytest.fixture
def named(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> ClonedDatabase:
    """The operation database with accounts of every kind, all of them listed; the environment names both."""
    monkeypatch.setenv("ASSETS_DATABASE_URL", assets_db.url)
    monkeypatch.setenv("OPERATION_DATABASE_URL", operation_db.url)
    with operation_db.connection() as connection:
        fill_queue(connection, pending=5)
    sweep_all(operation_db, assets_db)
    return operation_db


def test_a_csv_file_is_the_pages_export_to_the_byte(
    named: ClonedDatabase, assets_db: ClonedDatabase, tmp_path: Path
) -> None:
    export(tmp_path / "all.csv", None, ALL)
    rows = export_rows(assets_db, named, QueueQuery())
    assert (tmp_path / "all.csv").read_bytes() == b"".join(csv_chunks(rows))
    (line,) = [row for row in rows_of(tmp_path / "all.csv") if row["username"] == "haneul.stage"]
    assert (line["state"], line["reasons"], line["confidence"]) == (
        "held",
        "below_threshold near_name no_support",
        "0.71",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"))))


def test_json_lines_have_the_same_columns_and_what_a_spreadsheet_would_run_is_left_as_it_is(
    named: ClonedDatabase, assets_db: ClonedDatabase, tmp_path: Path
) -> None:
    with named.connection() as connection:
        insert_account(connection, "calculates", name_en='=HYPERLINK("https://evil.example")')
    sweep_all(named, assets_db)
    for name in ("all.csv", "all.jsonl"):
        export(tmp_path / name, None, {"search": "calculates"})
    (line,) = (tmp_path / "all.jsonl").read_text("utf-8").splitlines()
    assert list(json.loads(line)) == list(ExportRow.model_fields)
    assert json.loads(line)["name_en"] == '=HYPERLINK("https://evil.example")'
    assert rows_of(tmp_path / "all.csv")[0]["name_en"] == '\'=HYPERLINK("https://evil.example")'


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"state": "held", "type": "artist"}, ["haneul.stage"]),
        ({"reason": "near_name"}, ["haneul.stage"]),
        ({"state": "excluded"}, ["glossy.kr"]),
        ({"state": "failed"}, ["brokenreply.madeup"]),
        ({"search": "FIVE p"}, ["five.points"]),
        ({"search": "shop_", "sort": "username"}, [f"shop_{nth:03}" for nth in range(5)]),
        ({"type": "brand", "region": "KR", "state": "created"}, ["amber.row"]),
        ({"cohort": "2026-11-12", "search": "shop"}, ["shop_002"]),
        ({"search": "nobody"}, []),
    ],
    ids="+".join,
)
def test_the_filters_are_those_of_the_page(
    named: ClonedDatabase, tmp_path: Path, filters: Mapping[str, str], found: list[str]
) -> None:
    export(tmp_path / "some.csv", None, filters)
    assert [row["username"] for row in rows_of(tmp_path / "some.csv")] == found


def test_several_states_are_exported_together(named: ClonedDatabase, tmp_path: Path) -> None:
    export(tmp_path / "some.csv", None, {"state": ("failed", "excluded"), "sort": "username"})
    assert [row["username"] for row in rows_of(tmp_path / "some.csv")] == ["brokenreply.madeup", "glossy.kr"]


def test_a_reason_that_no_account_can_have_is_refused_with_what_was_meant(
    named: ClonedDatabase, tmp_path: Path
) -> None:
    with pytest.raises(
        InputRejected,
        match=r"^Nothing was exported: no account is held or failed for 'below_treshold'; "
        "did you mean below_threshold",
    ):
        export(tmp_path / "none.csv", None, {"reason": "below_treshold"})
    assert not list(tmp_path.iterdir())


def test_a_row_has_the_handle_its_address_the_run_and_the_cost(
    named: ClonedDatabase, assets_db: ClonedDatabase, tmp_path: Path
) -> None:
    with named.connection() as connection:
        insert_account(connection, "@Prada", {"catalog_link": {"status": "held", "run_id": "run-7"}})
    with assets_db.connection() as connection:
        connection.execute(
            "insert into gemini_usage_events (pipeline, step, model, grounded, state, subject, cost_usd) values "
            "('entity_enrichment', 'instagram_account_review', 'm', true, 'settled', 'prada', 0.25), "
            "('entity_enrichment', 'instagram_account_review', 'm', true, 'released', 'prada', 5)"
        )
    sweep_all(named, assets_db)
    export(tmp_path / "one.csv", None, {"search": "prada"})
    (row,) = rows_of(tmp_path / "one.csv")
    assert (row["username"], row["handle"], row["address"], row["run_id"], float(row["cost_usd"])) == (
        "'@Prada",
        "prada",
        "https://www.instagram.com/prada/",
        "run-7",
        0.25,
    )


@pytest.mark.parametrize("text", ["=1", "'=1", "''", "'t Hooft", "plain", " @x", "-1", ""])
def test_removing_one_apostrophe_restores_every_text(text: str) -> None:
    cell = cell_of(text)
    assert cell.removeprefix("'") == text
    assert not cell.lstrip().startswith(("=", "@", "-"))


@pytest.mark.parametrize(
    "filters",
    [
        {"state": "lost"},
        {"region": "Korea"},
        {"cohort": "yesterday"},
        {"reason": "'; drop"},
        {"sort": "random"},
    ],
    ids=lambda filters: next(iter(filters)),
)
def test_a_filter_that_means_nothing_is_refused_by_its_name(filters: Mapping[str, str]) -> None:
    with pytest.raises(
        InputRejected, match=f"^Nothing was exported: --{next(iter(filters))} is '.*' and must be "
    ):
        query_of(filters)


def test_the_file_name_gives_the_format_and_an_unknown_one_must_be_named() -> None:
    endings = [form_of(Path(name)) for name in ("a.csv", "A.CSV", "a.jsonl", "a.ndjson")]
    assert endings == ["csv", "csv", "jsonl", "jsonl"]
    assert form_of(None) == "csv"
    with pytest.raises(
        InputRejected, match=r"accounts\.json ends neither in \.csv nor in \.jsonl: add --format"
    ):
        form_of(Path("some/accounts.json"))


def test_an_export_that_breaks_off_leaves_the_previous_file(
    named: ClonedDatabase, assets_db: ClonedDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path / "all.csv", None, ALL)
    before = (tmp_path / "all.csv").read_bytes()

    def breaks_off(*_: Any, **__: Any) -> Iterator[list[ExportRow]]:
        yield from list(export_rows(assets_db, named, QueueQuery()))
        raise DatabaseUnavailable("PostgreSQL at db.example dropped the connection.")

    monkeypatch.setattr("entity_pipeline.domains.entities.commands.export.export_rows", breaks_off)
    with pytest.raises(DatabaseUnavailable):
        export(tmp_path / "all.csv", None, ALL)
    assert (tmp_path / "all.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]


def test_a_missing_folder_is_reported_in_a_sentence(named: ClonedDatabase, tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match=r"all\.csv can't be written \(No such file or directory\)"):
        export(tmp_path / "nowhere" / "all.csv", None, ALL)


def test_a_list_that_the_role_may_not_see_is_not_an_empty_file(
    named: ClonedDatabase, assets_db: ClonedDatabase, tmp_path: Path
) -> None:
    with assets_db.connection() as connection:
        connection.execute("delete from enrichment_queue; delete from enrichment_queue_sweep")
    with pytest.raises(ConfigurationFailure, match="sees no row of enrichment_queue_sweep"):
        export(tmp_path / "all.csv", None, ALL)
    assert not list(tmp_path.iterdir())


def test_an_installation_without_accounts_exports_the_header_alone(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSETS_DATABASE_URL", assets_db.url)
    monkeypatch.setenv("OPERATION_DATABASE_URL", operation_db.url)
    export(tmp_path / "none.csv", None, ALL)
    header = ",".join(ExportRow.model_fields)
    assert (tmp_path / "none.csv").read_bytes().decode("utf-8-sig") == f"{header}\r\n"
    export(tmp_path / "none.jsonl", None, ALL)
    assert (tmp_path / "none.jsonl").read_bytes() == b""


def test_memory_is_that_of_a_batch_however_many_rows_there_are(
    operation: psycopg.Connection[Any], assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    insert_account(operation, "acme")
    sweep_all(operation_db, assets_db)
    (row,) = next(export_rows(assets_db, operation_db, QueueQuery()))

    def peak(batches: int) -> int:
        tracemalloc.start()
        for _ in jsonl_chunks([row] * 1_000 for _ in range(batches)):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20) < 1.5 * peak(2)


def test_the_list_goes_to_standard_output_and_messages_to_standard_error(
    tmp_path: Path, named: ClonedDatabase, database_variables: Mapping[str, str]
) -> None:
    ended = Command(tmp_path, database_variables)(
        "export", "--format", "jsonl", "--state", "held", "--type", "brand"
    )
    assert (ended.code, ended.err) == (0, "1 accounts written.\n")
    assert json.loads(ended.out)["state"] == "held"


def test_a_reader_that_stops_early_is_not_a_failure(
    tmp_path: Path, named: ClonedDatabase, database_variables: Mapping[str, str]
) -> None:
    with named.connection() as connection:
        for nth in range(1_500):
            insert_account(connection, f"many_{nth}")
    exporting = Command(tmp_path, database_variables).start("export")
    assert exporting.stdout is not None
    assert exporting.stderr is not None
    reader = subprocess.run(
        [sys.executable, "-c", "print(input()[:20])"], stdin=exporting.stdout, capture_output=True, text=True
    )
    exporting.stdout.close()
    said = exporting.stderr.read()
    exporting.stderr.close()
    assert (exporting.wait(60), "Traceback" in said, "error" in said) == (0, False, False), said
    assert "id,username" in reader.stdout
