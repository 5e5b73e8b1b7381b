"""`doctor` and `migrate --plan` as processes: each finding is one line that says what to do."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet

from entity_pipeline.cli.checks.databases import clock_findings
from entity_pipeline.cli.checks.outside import model_findings
from entity_pipeline.core.findings import Finding
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.resources.instagram.pool import add_account
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline.sandbox.object_store import RcloneObjectStore
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.migrations.older_installation import older_installation

LAST = "20261129040400"


@pytest.fixture
def store(fast_path: Path) -> Iterator[Mapping[str, str]]:
    """Variables of an object store that runs."""
    folder = fast_path / "store"
    servers = RcloneObjectStore(folder)
    with SharedServers(folder, [servers]):
        yield servers.environment()
    servers.stop()


@pytest.fixture
def command(tmp_path: Path, database_variables: Mapping[str, str]) -> Command:
    return Command(tmp_path, {**database_variables, "GEMINI_API_KEY": "any"})


def test_odd_rows_and_a_schema_that_is_behind_are_warnings(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with assets_db.connection() as assets, operation_db.connection() as operation:
        assets.execute("drop index entity_pipeline_raw_posts_created_at; drop table review_evaluations")
        assets.execute(
            "alter table pipeline_settings rename column is_enabled to enabled; "
            "alter table pipeline_settings add column is_enabled boolean not null default false"
        )
        operation.execute(f"delete from entity_pipeline.schema_migrations where version = '{LAST}'")
        operation.execute("insert into instagram_accounts (username) values ('@Nike'), ('nike')")
    ended = command("doctor")
    assert ended.code == 0, ended.said
    warnings = [line for line in ended.out.splitlines() if line.startswith("warn")]
    for part in (
        "assets: the index entity_pipeline_raw_posts_created_at is missing or unfinished",
        f"1 migrations of operation are not applied, the first is {LAST}_entities_drop_queue_tables",
        "operation: handles with more than one active account: 1 (@Nike, nike)",
        "assets: enrichment_queue is empty",
        "assets: the table review_evaluations is missing",
        "assets: pipeline_settings has older columns that look like a switch or settings (enabled)",
    ):
        assert sum(part in line for line in warnings) == 1, ended.out


def test_what_the_schema_would_refuse_is_found_before_anything_is_paid(
    command: Command, operation_db: ClonedDatabase
) -> None:
    fine = command("doctor")
    assert "ok    A write of each kind was tried and rolled back." in fine.out.splitlines(), fine.said
    with operation_db.connection() as operation:
        operation.execute(
            "create table users (id uuid primary key); "
            "alter table admin_audit_log add foreign key (admin_user_id) references users (id); "
            "alter table group_members drop column is_active"
        )
    ended = command("doctor")
    assert ended.code == 1
    errors = [line for line in ended.out.splitlines() if line.startswith("error")]
    assert [line.split(": ")[1] for line in errors] == ["an audit row of an automatic write can't be written"]
    assert "warn  operation: the column group_members.is_active is missing; add it as bool" in ended.out
    assert "A write of each kind was tried" not in ended.out


@pytest.mark.parametrize("verb", ["doctor", "enrich"])
@pytest.mark.parametrize(
    ("begins", "ends", "says"),
    [
        (
            "postgresql://",
            "",
            "begins with postgresql://: write it with Dagster's driver, postgresql+psycopg2://",
        ),
        ("postgres://", "", "begins with postgres://"),
        (
            "postgresql+psycopg2://",
            "&pgbouncer=true",
            "has the parameter pgbouncer, which PostgreSQL does not know",
        ),
    ],
)
def test_dagsters_address_in_another_form_is_one_sentence_in_each_command(
    command: Command, assets_db: ClonedDatabase, tmp_path: Path, verb: str, begins: str, ends: str, says: str
) -> None:
    with assets_db.connection() as assets:
        assets.execute("update pipeline_settings set is_enabled = true")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text(
        "storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}"
    )
    url = assets_db.url.replace("postgresql://", begins, 1) + ends
    ended = command(verb, DAGSTER_HOME=str(tmp_path / "home"), DAGSTER_POSTGRES_URL=url)
    assert ended.code == 1
    assert f"DAGSTER_POSTGRES_URL {says}" in ended.said
    assert "Traceback" not in ended.said


def test_pipelines_whose_rows_do_not_say_whether_they_searched_are_named(
    command: Command, assets_db: ClonedDatabase
) -> None:
    with assets_db.connection() as assets:
        assets.execute(
            "insert into gemini_usage_events (pipeline, step, model, search_queries) values "
            "('captions', 'draft', 'gemini-2.5-flash', null), ('captions', 'draft', 'gemini-2.5-flash', null), "
            "('known', 'draft', 'gemini-2.5-flash', null), ('counted', 'draft', 'gemini-2.5-flash', 0)"
        )
        assets.execute(
            'update pipeline_settings set settings = settings || \'{"ungrounded_pipelines": ["known"]}\' '
            "where platform = 'gemini'"
        )
    ended = command("doctor")
    assert ended.code == 0, ended.said
    [line] = [line for line in ended.out.splitlines() if "do not say whether they searched" in line]
    assert line.startswith("warn  assets: 2 rows of the pipeline 'captions' in gemini_usage_events (7 days)")


def test_addresses_and_session_keys_that_cannot_work_are_errors(
    command: Command, assets_db: ClonedDatabase
) -> None:
    key, other = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    cookies = {"csrftoken": "c", "sessionid": "1%3As3cret", "ds_user_id": "1"}
    with assets_db.connection() as assets:
        add_account(assets, "our_one", SessionSecrets(key).seal_cookies(cookies), datetime.now(UTC))
        add_account(assets, "our_two", SessionSecrets(other).seal_cookies(cookies), datetime.now(UTC))
    ended = command(
        "doctor", GEMINI_BASE_URL="not a url", INSTAGRAM_BASE_URL="http://h:x", INSTAGRAM_SESSION_KEYS=key
    )
    assert ended.code == 1
    assert "s3cret" not in ended.said
    for line in (
        "error GEMINI_BASE_URL must be a URL such as http://127.0.0.1:8000.",
        "error INSTAGRAM_BASE_URL must be a URL such as http://127.0.0.1:8000.",
        "error 'our_two' of the pool can't be used: No key of INSTAGRAM_SESSION_KEYS decrypts this secret.",
    ):
        assert line in ended.out.splitlines(), ended.said
    assert "our_one" not in ended.out
    malformed = command("doctor", INSTAGRAM_SESSION_KEYS="nonsense")
    assert "error INSTAGRAM_SESSION_KEYS holds a malformed key" in malformed.out


def test_the_bucket_is_tried_with_an_object_that_is_then_gone(
    command: Command, store: Mapping[str, str], fast_path: Path
) -> None:
    fine = command("doctor", **store)
    assert f"ok    The bucket {store['R2_BUCKET']} stores, shows and deletes an object." in fine.out, (
        fine.said
    )
    wrong = command("doctor", **{**store, "R2_PUBLIC_BASE_URL": store["R2_ENDPOINT_URL"]})
    assert wrong.code == 1
    assert "error R2_PUBLIC_BASE_URL does not serve the objects of bucket" in wrong.out
    refused = command("doctor", **{**store, "R2_SECRET_ACCESS_KEY": "other"})
    assert "refused the key" in refused.out
    assert [path for path in (fast_path / "store" / "objects").rglob("*") if path.is_file()] == []


def test_a_clock_that_is_off_is_named_with_its_database() -> None:
    assert list(clock_findings("operation", 29.0)) == []
    assert list(clock_findings("operation", -90.0)) == [
        Finding(
            "warn", "The operation database's clock differs from this machine's by 90 s: set both by NTP."
        )
    ]


@pytest.mark.parametrize(
    ("name", "today", "state", "says"),
    [
        ("gemini-2.5-flash", date(2026, 11, 1), "warn", "is reported to retire on 2026-12-01"),
        (
            "gemini-2.5-flash",
            date(2026, 11, 30),
            "warn",
            f"Set GEMINI_MODEL={DEFAULT_MODEL} before then",
        ),
        ("gemini-2.5-flash", date(2026, 12, 1), "warn", f"Set GEMINI_MODEL={DEFAULT_MODEL} and restart"),
        ("gemini-99", date(2026, 12, 1), "error", "GEMINI_MODEL is 'gemini-99'"),
    ],
)
def test_a_model_that_retires_is_named_before_and_after(
    name: str, today: date, state: str, says: str
) -> None:
    [found] = model_findings(name, today)
    assert found.level == state
    assert says in found.text


@pytest.mark.parametrize(
    ("name", "today"),
    [("gemini-2.5-flash", date(2026, 10, 31)), (DEFAULT_MODEL, date(2026, 12, 1))],
)
def test_a_model_that_stays_needs_no_line(name: str, today: date) -> None:
    assert list(model_findings(name, today)) == []


def test_a_model_whose_successor_is_accepted_needs_no_line() -> None:
    retired = date(2026, 12, 1)
    assert list(model_findings("gemini-2.5-flash", retired, ["gemini-3.5-flash-lite"])) == []
    assert len(list(model_findings("gemini-2.5-flash", retired, ["gemini-3.6-flash"]))) == 1


def test_another_model_that_answers_is_named_by_doctor_and_quota(
    command: Command, assets_db: ClonedDatabase
) -> None:
    says = f"Gemini answered with gemini-3.5-flash-lite in place of {DEFAULT_MODEL}"
    with assets_db.connection() as assets:
        assets.execute("update pipeline_settings set is_enabled = true where platform = 'gemini'")
        assert says not in command("doctor").out
        assets.execute(
            "insert into gemini_usage_events (pipeline, step, model, billed_model, state, grounded, search_queries, "
            "quota_day) values ('p', 's', %s, 'gemini-3.5-flash-lite', 'settled', true, 2, "
            "(now() at time zone 'America/Los_Angeles')::date)",
            [DEFAULT_MODEL],
        )
    assert f"warn  {says}" in command("doctor").out
    quota = command("quota").out
    assert says in quota
    assert "2 of 1450 search queries used" in quota


def test_a_plan_shows_the_sql_and_the_locks_and_the_migration_then_has_nothing_left(
    tmp_path: Path, database_server: DatabaseServer
) -> None:
    with older_installation(database_server) as (assets, operation):
        command = Command(tmp_path, {"ASSETS_DATABASE_URL": assets, "OPERATION_DATABASE_URL": operation})
        shown = command("migrate", "--plan")
        assert shown.code == 0, shown.said
        assert "create unique index concurrently if not exists entity_pipeline_usage_claim" in shown.out
        assert (
            "  * brands (not counted yet, 40 kB): ACCESS EXCLUSIVE, readers and writers wait; " in shown.out
        )
        assert "gives way after 5s without a lock, and is tried again" in shown.out
        assert "migrations would be applied. Nothing was changed." in shown.out
        assert command("migrate").code == 0
        again = command("migrate", "--plan")
        with psycopg.connect(assets, autocommit=True) as connection:
            connection.execute("drop index entity_pipeline_raw_posts_created_at")
        lost = command("migrate", "--plan")
    assert again.out == "Both databases are up to date: there is no file to apply.\n"
    assert lost.out.startswith(
        "The index entity_pipeline_raw_posts_created_at is missing or unfinished, and would"
    )


def test_swapped_addresses_are_named_before_anything_is_migrated(
    tmp_path: Path, database_server: DatabaseServer
) -> None:
    with older_installation(database_server) as (assets, operation):
        command = Command(tmp_path, {"ASSETS_DATABASE_URL": operation, "OPERATION_DATABASE_URL": assets})
        ended = command("doctor")
        refused = [command("migrate").failure, command("migrate", "--plan").failure]
        with psycopg.connect(assets) as connection:
            there = connection.execute("select to_regclass('artists') is not null").fetchone()
    sentence = (
        "ASSETS_DATABASE_URL names the database with instagram_accounts and OPERATION_DATABASE_URL the one with "
        "raw_posts: they are swapped. Exchange the two values."
    )
    assert (ended.code, ended.out) == (1, f"error {sentence}\n")
    assert refused == [f"{sentence} Nothing was changed."] * 2
    assert there == (False,)
