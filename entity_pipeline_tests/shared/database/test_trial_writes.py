"""What `doctor` finds by trying a write of each kind, one damage at a time, on real databases."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.findings import Finding
from entity_pipeline.shared.database.trial_writes import try_writes
from entity_pipeline.shared.trials import trials_of

Connection = psycopg.Connection[Any]
TRIALS = [trial for domain in DOMAINS for trial in trials_of(domain)]

_RAISES = """
create function refuse() returns trigger language plpgsql as $$ begin {} end $$;
create {} trigger refuse {} on {} {} for each row execute function refuse();
"""


def tried(connection: Connection, database: str, differs: bool = False) -> list[Finding]:
    trials = (trial for trial in TRIALS if trial.database == database)
    return list(try_writes(connection, trials, is_schema_known_to_differ=differs))


def every_row(connection: Connection) -> dict[str, int]:
    names = connection.execute(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    ).fetchall()
    return {
        name: connection.execute(f'select count(*) from "{name}"').fetchone()[0]  # type: ignore[index]
        for (name,) in names
    }


def test_migrated_databases_refuse_nothing_and_keep_nothing(
    assets: Connection, operation: Connection
) -> None:
    before = every_row(assets), every_row(operation)
    assert tried(assets, "assets") == []
    assert tried(operation, "operation") == []
    assert (every_row(assets), every_row(operation)) == before


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "create table users (id uuid primary key); "
            "alter table admin_audit_log add constraint of_a_user foreign key (admin_user_id) references users (id)",
            "operation: an audit row of an automatic write can't be written: the foreign key of_a_user of "
            "admin_audit_log refuses it (Key (admin_user_id)=(e7717000-0000-4000-8000-0000e4717195) is not present in "
            'table "users"); add that row, or drop the key.',
        ),
        (
            "create table users (id uuid primary key); alter table admin_audit_log add constraint later "
            "foreign key (admin_user_id) references users (id) deferrable initially deferred",
            "the foreign key later of admin_audit_log refuses it",
        ),
        (
            "alter table admin_audit_log add constraint known_actions check (action in ('login', 'logout'))",
            "operation: an audit row of an automatic write can't be written: the check known_actions of "
            "admin_audit_log refuses it; let it allow this row, or drop it.",
        ),
        (
            "alter table instagram_accounts add constraint short check (length(username) < 5)",
            "operation: a new account can't be written: the check short of instagram_accounts refuses it",
        ),
        (
            "create domain web as text check (value like 'https://cdn.test/%'); "
            "alter table brands alter logo_image_url type web",
            "operation: a link to a row of brands can't be written: the check web_check of the domain web refuses it",
        ),
        (
            "alter table groups add debut date not null",
            "operation: a new row of groups can't be written: the column groups.debut is required and stays empty; "
            "make it nullable, or give it a default.",
        ),
        (
            _RAISES.format("raise exception 'ask Mina first';", "", "before update", "artists", ""),
            "operation: a link to a row of artists can't be written: artists has a trigger that says "
            '"ask Mina first" (PL/pgSQL function refuse() line 1 at RAISE); let it pass the rows of the pipeline.',
        ),
        (
            _RAISES.format(
                "raise exception 'not now';",
                "constraint",
                "after insert",
                "brands",
                "deferrable initially deferred",
            ),
            'brands has a trigger that says "not now"',
        ),
        (
            _RAISES.format(
                "raise exception 'no' using errcode = '42501';", "", "before insert", "groups", ""
            ),
            'groups has a trigger that says "no"',
        ),
        (
            _RAISES.format(
                "insert into audit_of_ours values (1); return new;", "", "before insert", "brands", ""
            ),
            'relation "audit_of_ours" does not exist (PL/pgSQL function refuse() line 1 at SQL statement)',
        ),
        ("alter table instagram_accounts alter bio type varchar(3)", "an account's profile can't be written"),
        (
            "set default_transaction_read_only = on",
            "operation: an audit row of an automatic write can't be written: the connection can only read; use the "
            "address of the primary server",
        ),
    ],
)
def test_a_schema_that_refuses_a_write_is_one_sentence(operation: Connection, damage: str, says: str) -> None:
    operation.execute(damage)
    findings = tried(operation, "operation")
    assert [finding.level for finding in findings if says in finding.text] == ["error"], findings
    assert len({finding.text.split(": ", 2)[2] for finding in findings}) == len(findings)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "alter table gemini_usage_events add constraint known check (pipeline in ('captions'))",
            "assets: a reply of Gemini can't be written: the check known of gemini_usage_events refuses it",
        ),
        (
            "alter table gemini_spend_daily add constraint known check (pipeline in ('captions'))",
            "assets: a day's usage of Gemini can't be written: the check known of gemini_spend_daily refuses it",
        ),
        (
            _RAISES.format("raise exception 'frozen';", "", "before update", "pipeline_settings", ""),
            'pipeline_settings has a trigger that says "frozen"',
        ),
        (
            "alter table enrichment_queue add constraint no_korean check (name_ko is null)",
            "a row of the list of accounts can't be written: the check no_korean of enrichment_queue refuses it",
        ),
        (
            "alter table tagged_usernames add constraint recent check (day > '2020-01-01')",
            "the check recent of tagged_usernames refuses it",
        ),
    ],
)
def test_so_is_one_of_the_staging_database(assets: Connection, damage: str, says: str) -> None:
    assets.execute(damage)
    assert [finding.level for finding in tried(assets, "assets") if says in finding.text] == ["error"]


@pytest.fixture
def someone(operation: Connection) -> Iterator[Connection]:
    """A second session with its own open transaction."""
    with psycopg.connect(operation.info.dsn, password=operation.info.password) as connection:
        yield connection
        connection.rollback()


def test_a_lock_of_others_is_a_warning_after_a_short_wait(operation: Connection, someone: Connection) -> None:
    someone.execute("lock table brands in share mode")
    findings = tried(operation, "operation")
    assert [finding.level for finding in findings] == ["warn"]
    assert "a new row of brands could not be tried, because others hold locks on brands" in findings[0].text


def test_a_trial_waits_for_nobody_s_rows_and_keeps_no_lock(
    operation: Connection, someone: Connection
) -> None:
    operation.execute(
        "insert into brands (name_en) values ('Busy'); insert into instagram_accounts (username) values ('a')"
    )
    someone.execute("update brands set name_en = 'Busier'")
    someone.execute("update instagram_accounts set bio = 'x'")
    assert tried(operation, "operation") == []
    someone.execute("set lock_timeout = '1s'; lock table brands in access exclusive mode")


def test_what_the_schema_check_says_is_not_repeated(operation: Connection) -> None:
    operation.execute("alter table brands drop column country_of_origin")
    assert tried(operation, "operation", differs=True) == []
    assert tried(operation, "operation") != []
