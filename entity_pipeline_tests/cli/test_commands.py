"""Commands as processes, against databases outside the sandbox and stand-ins over real sockets."""

import json
import re
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from psycopg.types.json import Jsonb

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.cli.settings_row import write_settings
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.nightly import mostly_nightly
from entity_pipeline_tests.standins import GeminiStandin

KEYS = [domain.key for domain in DOMAINS]
MONDAY = FIRST_DAY + timedelta(days=4)
MADE_UP_PASSWORD = "s3cret-word"


@pytest.fixture
def gemini() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=0) as standin:
        yield standin


@pytest.fixture
def command(tmp_path: Path, database_variables: Mapping[str, str], gemini: GeminiStandin) -> Command:
    return Command(tmp_path, {**database_variables, "GEMINI_BASE_URL": gemini.url})


def post(database: ClonedDatabase, *usernames: str, day: date = MONDAY) -> None:
    with database.connection() as connection:
        connection.execute(
            "insert into raw_posts (platform, external_id, platform_metadata, created_at) "
            "values ('instagram', %s, %s, %s)",
            [" ".join(usernames), Jsonb({"tagged_usernames": usernames}), day],
        )


def switch_on(database: ClonedDatabase, **settings: Any) -> None:
    write_settings(database, requests_per_minute=10_000, **settings)


def statuses(database: ClonedDatabase, stage: str = "gemini_review") -> dict[str, str | None]:
    with database.connection() as connection:
        rows = connection.execute(
            "select username, metadata #>> array['entity_enrichment', %s, 'status'] from instagram_accounts",
            [stage],
        )
        return dict(rows.fetchall())


def table_row(text: str, *cells: str) -> bool:
    """Whether a table in the text has a row with these cells in this order."""
    return re.search(r"│\s*" + r"\s*│\s*".join(map(re.escape, cells)) + r"\s*│", text) is not None


def test_enrich_does_everything_once_and_then_nothing(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    post(assets_db, "prada", "timberland", "garbledreply.madeup")
    switch_on(assets_db)
    dry = command("enrich", "--dry-run")
    assert dry.code == 0, dry.said
    assert "At most 0 paid calls" in dry.out
    first = command("enrich")
    assert first.code == 0, first.said
    assert "Traceback" not in first.said
    assert statuses(operation_db) == {
        "prada": "reviewed",
        "timberland": "reviewed",
        "garbledreply.madeup": "failed",
    }
    assert table_row(first.out, "reviews", "reviewed", "2")
    assert table_row(first.out, "links", "created", "2")
    assert "3 of 1450 grounded requests" in first.out
    assert gemini.requests["grounded"] == 3
    total = gemini.requests["total"]
    again = command("enrich")
    assert again.code == 0, again.said
    assert "Calls to Gemini since the command began: 0." in again.out
    assert gemini.requests["total"] == total


def test_a_dry_run_of_enrich_says_how_many_calls_and_makes_none(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    switch_on(assets_db, daily_grounding_cap=2)
    with operation_db.connection() as connection:
        for name in ("prada", "timberland", "uniqlo_jp"):
            connection.execute("insert into instagram_accounts (username) values (%s)", [name])
    ended = command("enrich", "--dry-run")
    assert ended.code == 0, ended.said
    assert "At most 2 paid calls would be made for the accounts that are known so far." in ended.out
    assert "0 of 2 grounded prompts used" in ended.out
    assert gemini.requests["total"] == 0
    assert set(statuses(operation_db).values()) == {None}


def test_a_cohort_and_a_limit_hold_enrich_to_them(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    post(assets_db, "prada", "timberland")
    post(assets_db, "uniqlo_jp", day=MONDAY + timedelta(days=1))
    switch_on(assets_db)
    ended = command("enrich", "--cohort", MONDAY.isoformat(), "--limit", "1")
    assert ended.code == 0, ended.said
    assert statuses(operation_db) == {"prada": "reviewed", "timberland": None}
    assert "1 account still waits for a review." in ended.out


def test_enrich_says_why_it_stopped_before_the_end(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    post(assets_db, "prada", "timberland")
    switch_on(assets_db, daily_spend_usd=0.000001)
    ended = command("enrich")
    assert ended.code == 0, ended.said
    said = " ".join(ended.out.split())
    assert "Reviews stopped before the end: The spending limit of " in said
    assert " USD is reached for the Pacific day" in said
    assert "2 accounts still wait for a review." in ended.out
    assert gemini.requests["total"] == 0


@pytest.mark.parametrize("sent_signal", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_an_interrupted_enrich_ends_with_one_sentence_and_loses_nothing_paid(
    command: Command,
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
    gemini: GeminiStandin,
    sent_signal: signal.Signals,
) -> None:
    names = [f"stranger{number}" for number in range(40)]
    post(assets_db, *names)
    switch_on(assets_db, concurrency=2)
    with GeminiStandin(latency_ms=250) as slow:
        process = command.start("enrich", GEMINI_BASE_URL=slow.url)
        try:
            wait_for(lambda: slow.requests["grounded"] >= 3)
            process.send_signal(sent_signal)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
        sent = slow.requests["grounded"]
    assert process.returncode == 130, out + err
    assert err.strip().splitlines()[-1] == (
        "error: Interrupted. Finished work is kept; run the same command again to continue."
    )
    assert "Traceback" not in out + err
    assert 3 <= sent < len(names)
    with assets_db.connection() as connection:
        states = connection.execute("select state, count(*) from gemini_usage_events group by 1").fetchall()
    assert states == [("settled", sent)]
    assert sum(status == "reviewed" for status in statuses(operation_db).values()) == sent
    again = command("enrich")
    assert again.code == 0, again.said
    assert gemini.requests["grounded"] == len(names) - sent
    assert set(statuses(operation_db).values()) == {"reviewed"}


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_switched_off_pipeline_is_a_failure_that_says_what_to_do(
    command: Command, assets_db: ClonedDatabase
) -> None:
    disabled = command("settings", "disable")
    assert disabled.code == 0
    assert command("enrich").failure == (
        "The pipeline 'entities' is switched off: run `entity-pipeline settings enable entities` to switch it on."
    )
    enabled = command("settings", "enable")
    assert (enabled.code, enabled.out) == (0, "The pipeline 'entities' is switched on.\n")


def test_a_shared_row_that_is_off_stops_every_domain(command: Command, assets_db: ClonedDatabase) -> None:
    switch_on(assets_db)
    assert command("settings", "disable", "gemini").code == 0
    assert command("enrich").failure == (
        "'gemini' is switched off for every pipeline: run `entity-pipeline settings enable gemini` to switch it on."
    )
    assert command("settings", "enable", "gemini").out == "'gemini' is switched on.\n"
    assert command("settings", "enable", "nobody").failure == (
        f"There is no row of settings 'nobody': the rows are {', '.join(KEYS)}, gemini, instagram, notify."
    )


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    mostly_nightly(
        [
            (
                ["daily_grounding_cap=many"],
                "Nothing was changed: 'daily_grounding_cap' is \"many\" and must be a whole number.",
            ),
            (["concurrency=4", "cap=1"], "Nothing was changed: 'cap' is not a known setting."),
            (["concurrency=4", "daily_grounding_cap=-1"], "Nothing was changed: 'daily_grounding_cap' is -1"),
            (["gemini", "concurrency=4"], "Nothing was changed: 'concurrency' is not a known setting."),
            (
                ["gemini", "shares.captions=4"],
                f"'shares' names 'captions', but the domains are {', '.join(KEYS)}.",
            ),
            (["notify", "backlog_hours=0"], "'backlog_hours' is 0 and must be more than 0."),
            (["notify.webhook=x"], "Nothing was changed: 'webhook' is not a known setting."),
            (["instagram_backfill_enabled=true"], "Nothing was changed: Instagram's terms forbid"),
            (["cap"], "'cap' is not an assignment; use KEY=VALUE, for example concurrency=4."),
        ],
        always=3,
    ),
)
def test_a_setting_that_is_not_allowed_is_refused_in_one_sentence(
    command: Command, assets_db: ClonedDatabase, assignments: list[str], sentence: str
) -> None:
    ended = command("settings", "set", *assignments)
    assert ended.code == 1
    assert sentence in ended.failure
    with assets_db.connection() as connection:
        stored = connection.execute("select distinct settings from pipeline_settings").fetchall()
    assert stored == [({},)]


def test_a_setting_goes_to_its_row_with_its_author_and_an_audit_row(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    ended = command("settings", "set", "thresholds.brand=0.9", "daily_grounding_cap=1200")
    assert ended.code == 0, ended.said
    assert ended.out.splitlines() == [
        "These settings apply to every pipeline and are in the row 'gemini':",
        "daily_grounding_cap = 1200 (before: 1450)",
        "thresholds.artist = 0.9",
        "thresholds.brand = 0.9 (before: 0.85)",
        "thresholds.group = 0.9",
        "Held accounts keep their decision. To decide them again, which pays nothing: entity-pipeline decide-again",
    ]
    assert command("settings", "set", "gemini", "shares.entities=2", "requests_per_minute=null").code == 0
    with assets_db.connection() as connection:
        rows = connection.execute(
            "select platform, is_enabled, settings, updated_by like 'cli%' from pipeline_settings "
            "where platform in ('entity_enrichment', 'gemini') order by 1"
        ).fetchall()
    assert rows == [
        ("entity_enrichment", False, {"thresholds": {"brand": 0.9}}, True),
        ("gemini", True, {"daily_grounding_cap": 1200, "shares": {"entities": 2}}, True),
    ]
    with operation_db.connection() as connection:
        trail = connection.execute(
            "select action, after_state -> 'settings' from admin_audit_log order by created_at"
        ).fetchall()
    assert trail == [
        ("gemini.settings", {"daily_grounding_cap": 1200}),
        ("entity_enrichment.settings", {"thresholds": {"brand": 0.9}}),
        ("gemini.settings", {"daily_grounding_cap": 1200, "shares": {"entities": 2}}),
    ]
    shown = command("settings", "show")
    assert shown.code == 0
    assert table_row(shown.out, "daily_grounding_cap", "1200", "set")
    assert table_row(shown.out, "concurrency", "8", "default")
    assert table_row(shown.out, "thresholds.artist", "0.9", "default")
    assert table_row(shown.out, "thresholds.brand", "0.9", "set")
    assert table_row(shown.out, "terms_acknowledged", "false", "default")
    assert "concurrency" not in command("settings", "show", "gemini").out


def test_a_moved_key_before_migrating_asks_for_the_migration(
    command: Command, assets_db: ClonedDatabase
) -> None:
    with assets_db.connection() as connection:
        connection.execute("delete from pipeline_settings where platform = 'gemini'")
    assert "run `entity-pipeline migrate`" in command("settings", "set", "daily_grounding_cap=50").failure


def test_empty_databases_are_migrated_once_and_doctor_agrees(
    tmp_path: Path, database_server: DatabaseServer, gemini: GeminiStandin
) -> None:
    with database_server.empty() as assets_url, database_server.empty() as operation_url:
        command = Command(
            tmp_path,
            {
                "ASSETS_DATABASE_URL": assets_url,
                "OPERATION_DATABASE_URL": operation_url,
                "GEMINI_BASE_URL": gemini.url,
            },
        )
        bare = command("status")
        assert "run `entity-pipeline migrate`" in bare.failure
        first = command("migrate")
        assert first.code == 0, first.said
        assert re.search(r"^applied .*catalog", first.out, re.MULTILINE)
        assert command("migrate").out == "Both databases are up to date.\n"
        doctor = command("doctor")
        assert doctor.code == 0, doctor.said
        for line in (
            "ok    The assets database answers.",
            "ok    The operation database answers.",
            "ok    Both schemas have what the pipeline needs.",
            f"ok    A Gemini key is set; requests go to {gemini.url}.",
        ):
            assert line in doctor.out.splitlines()
        assert not [line for line in doctor.out.splitlines() if line.startswith("error")]


def test_doctor_names_what_is_missing_and_fails(command: Command, operation_db: ClonedDatabase) -> None:
    with operation_db.connection() as connection:
        connection.execute("drop table brands cascade")
    ended = command("doctor")
    assert ended.code == 1
    errors = [line for line in ended.out.splitlines() if line.startswith("error")]
    assert any("brands" in line and "migrate" in line for line in errors), ended.out
    assert "Traceback" not in ended.said


def test_doctor_names_an_unreachable_database_once_without_its_password(tmp_path: Path) -> None:
    away = f"postgresql://user:{MADE_UP_PASSWORD}@127.0.0.1:1/"
    urls = {"ASSETS_DATABASE_URL": f"{away}assets", "OPERATION_DATABASE_URL": f"{away}operation"}
    ended = Command(tmp_path, urls)("doctor")
    lines = ended.out.splitlines()
    assert ended.code == 1
    for name in ("assets", "operation"):
        sentence = f"error PostgreSQL at 127.0.0.1:1/{name} can't be reached: check its address"
        assert sum(line.startswith(sentence) for line in lines) == 1, ended.out
    assert "error GEMINI_API_KEY is not set: set it to a key of your Google project." in lines
    assert MADE_UP_PASSWORD not in ended.said
    assert "Traceback" not in ended.said


@pytest.mark.parametrize("name", ["status", "migrate", "undo"])
def test_an_invalid_address_is_one_sentence_without_its_password(tmp_path: Path, name: str) -> None:
    bad = f"postgres//user:{MADE_UP_PASSWORD}@host"
    command = Command(tmp_path, {"ASSETS_DATABASE_URL": bad, "OPERATION_DATABASE_URL": bad})
    ended = command(name, *(["--account", "prada"] if name == "undo" else []))
    assert "postgresql://user:password@" in ended.failure
    assert MADE_UP_PASSWORD not in ended.said


def test_an_unknown_model_is_one_sentence(command: Command, assets_db: ClonedDatabase) -> None:
    switch_on(assets_db)
    ended = command("enrich", GEMINI_MODEL="gemini-99")
    assert "GEMINI_MODEL is 'gemini-99'" in ended.failure


def test_a_key_that_gemini_refuses_is_one_sentence(command: Command, assets_db: ClonedDatabase) -> None:
    post(assets_db, "prada")
    switch_on(assets_db)
    ended = command("enrich", GEMINI_API_KEY="invalid")
    assert ended.failure.startswith("Gemini refuses every request (HTTP 400 ")
    assert "check GEMINI_API_KEY" in ended.failure


def test_status_and_quota_read_the_databases(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    switch_on(assets_db, daily_grounding_cap=7)
    held = {
        "cohort": MONDAY.isoformat(),
        "gemini_review": {"status": "reviewed"},
        "catalog_link": {"status": "held", "reasons": ["below_threshold"]},
    }
    with operation_db.connection() as connection:
        connection.execute(
            "insert into instagram_accounts (username, metadata, created_at) values ('a', %s, now()), ('b', %s, %s)",
            [Jsonb({"entity_enrichment": held}), Jsonb({}), MONDAY],
        )
    status = command("status")
    assert status.code == 0, status.said
    assert "The pipeline is switched on." in status.out
    assert table_row(status.out, MONDAY.isoformat(), "2", "1", "1", "0")
    assert table_row(status.out, "held", "1")
    quota = command("quota")
    assert quota.code == 0, quota.said
    assert "0 of 7 grounded prompts used, 0 reserved, 7 left" in quota.out
    assert f"model {DEFAULT_MODEL}." in quota.out
    assert "entities: 0.0000 USD today in 0 requests, no share of its own." in quota.out
    assert "Gemini: 0.0000 USD today in 0 requests, no share of its own." in status.out
    write_settings(assets_db, enabled=False, daily_grounding_cap=7)
    assert "0 of 7 grounded prompts used" in command("quota").out


def test_a_request_is_shown_with_the_key_that_sealed_it(command: Command, assets_db: ClonedDatabase) -> None:
    key = Fernet.generate_key().decode()
    post(assets_db, "prada")
    switch_on(assets_db)
    assert command("enrich", GEMINI_REQUEST_KEYS=key).code == 0
    with assets_db.connection() as connection:
        (event_id, stored), *_ = connection.execute(
            "select id::text, request::text from gemini_usage_events"
        ).fetchall()
    assert "prada" not in stored
    shown = command("request", event_id, GEMINI_REQUEST_KEYS=key)
    assert shown.code == 0, shown.said
    kept = json.loads(shown.out)
    assert "prada" in kept["parts"][0]["text"]
    assert kept["system"]
    sealed = "This request is encrypted: set GEMINI_REQUEST_KEYS to the key it was encrypted with."
    assert command("request", event_id).failure == sealed


def test_a_missing_request_is_one_sentence(command: Command) -> None:
    assert command("request", "7").failure == "The ledger has no request with the ID '7'."


def test_undo_puts_back_what_enrich_wrote(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    post(assets_db, "prada", "timberland")
    switch_on(assets_db)
    assert command("enrich").code == 0
    shown = command("undo", "--account", "@Prada")
    assert "1 entity removed" in shown.out
    assert shown.failure.startswith("Nothing was done: there is no terminal to ask at")
    assert statuses(operation_db, "catalog_link")["prada"] == "created"
    for _ in range(2):
        ended = command("undo", "--yes", "--account", "@Prada")
        assert ended.code == 0, ended.said
        assert statuses(operation_db, "catalog_link") == {"prada": "undone", "timberland": "created"}
        again = command("redo", "--yes", "--account", "@Prada")
        assert "there again" in again.out
        assert statuses(operation_db, "catalog_link")["prada"] == "created"
    ended = command("undo", "--yes", "--account", "@Prada")
    assert "1 entity removed" in ended.out
    assert statuses(operation_db, "catalog_link") == {"prada": "undone", "timberland": "created"}
    assert command("undo", "--yes", "--account", "@Prada").out == "Nothing is left to restore.\n"
    assert command("undo").failure == "Give either --run ID or --account NAME."
    assert "There is nothing to undo" in command("undo", "--account", "nobody").failure
    with assets_db.connection() as connection:
        connection.execute("update pipeline_settings set updated_at = now()")
    assert command("enrich").code == 0
    assert statuses(operation_db, "catalog_link")["prada"] == "undone"


def test_posts_are_imported_once_and_what_is_wrong_is_listed(
    command: Command, assets_db: ClonedDatabase, tmp_path: Path
) -> None:
    taken_at = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
    node = {
        "id": "1",
        "shortcode": "Cabc",
        "taken_at_timestamp": taken_at,
        "edge_media_to_tagged_user": {"edges": [{"node": {"user": {"username": "prada"}}}]},
    }
    folder = tmp_path / "posts"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps({"node": node, "instaloader": {"node_type": "Post"}}))
    (folder / "b.json").write_text("{broken")
    first = command("import-posts", str(folder))
    assert first.code == 0, first.said
    assert "1 posts read: 1 new" in first.out
    assert "not imported: " in first.err
    assert "0 new, 0 updated, 1 unchanged" in command("import-posts", str(folder)).out
    with assets_db.connection() as connection:
        tags = connection.execute("select platform_metadata -> 'tagged_usernames' from raw_posts").fetchall()
    assert tags == [(["prada"],)]
    assert command("import-posts", str(tmp_path / "none")).failure == f"{tmp_path / 'none'} does not exist."
    (folder / "a.json").unlink()
    assert command("import-posts", str(folder)).failure.startswith("Nothing in ")


def test_half_a_configuration_and_no_sandbox_are_refused(tmp_path: Path) -> None:
    alone = Command(tmp_path, {})
    assert "run `entity-pipeline demo` first" in alone("status").failure
    half = alone("status", ASSETS_DATABASE_URL="postgresql://u@127.0.0.1:1/x")
    assert half.failure.startswith("ASSETS_DATABASE_URL is set but OPERATION_DATABASE_URL is not")
    assert alone("sandbox", "reset").out.startswith("There is no sandbox in")


def test_a_dot_env_file_is_read_and_never_overrides_the_environment(tmp_path: Path) -> None:
    away = "postgresql://u@127.0.0.1:1/"
    (tmp_path / ".env").write_text(f"ASSETS_DATABASE_URL={away}file\nOPERATION_DATABASE_URL={away}file\n")
    command = Command(tmp_path, {})
    assert "127.0.0.1:1/file" in command("status").failure
    assert "127.0.0.1:1/environment" in command("status", ASSETS_DATABASE_URL=f"{away}environment").failure


@pytest.mark.parametrize(
    "arguments",
    [
        ["enrich", "--limit", "-1"],
        ["enrich", "--refresh", "some"],
        ["no-such-command"],
        ["up", "--port", "x"],
    ],
)
def test_wrong_usage_is_answered_with_the_help(tmp_path: Path, arguments: list[str]) -> None:
    ended = Command(tmp_path, {})(*arguments)
    assert ended.code == 2
    assert "--help" in ended.err
    assert "Traceback" not in ended.said
