"""The dump that looks like production: migrated by its owner, enriched by the role of docs/schema.md."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest

from entity_pipeline.core.audit import COMMAND_ACTOR, PAGE_ACTOR, Actor
from entity_pipeline.core.settings_change import Assignment, edit_of
from entity_pipeline.domains.entities.health import doubled_rows
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.migrations import migrate
from entity_pipeline.migrations.files import files_of
from entity_pipeline.resources.gemini.spend import roll_up_spend
from entity_pipeline.resources.postgres import PostgresResource, open_database
from entity_pipeline.resources.schema_check import missing_schema
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, WEDNESDAY, Graph, graph
from entity_pipeline_tests.migrations.production import Production, digests, production, rows, touched
from entity_pipeline_tests.needs import NEEDS
from entity_pipeline_tests.reliability.documented_roles import PAGE, Roles, connected, documented_roles


@pytest.fixture
def theirs(database_server: DatabaseServer) -> Iterator[Production]:
    with production(database_server) as made:
        yield made


@contextmanager
def enriching(theirs: Production) -> Iterator[tuple[Graph, Roles]]:
    """An installation that works on the migrated dump by the role of docs/schema.md, and all roles of that page."""
    with (
        open_database(theirs.superuser["assets"]) as assets_pool,
        open_database(theirs.superuser["operation"]) as operation_pool,
    ):
        assets = ClonedDatabase(theirs.superuser["assets"], assets_pool)
        operation = ClonedDatabase(theirs.superuser["operation"], operation_pool)
        with (
            documented_roles(assets, operation) as roles,
            roles.database(assets, "assets", "entity_pipeline") as our_assets,
            roles.database(operation, "operation", "entity_pipeline") as our_operation,
            graph(our_assets, our_operation) as installation,
        ):
            yield installation, roles


def test_people_keep_every_value_through_migration_enrichment_and_linking(theirs: Production) -> None:
    before = rows(theirs.owner)
    assert sum(map(len, before.values())) > 50_000
    applied = migrate(theirs.owner["assets"], theirs.owner["operation"])
    assert migrate(theirs.owner["assets"], theirs.owner["operation"]) == []
    assert len(applied) == len(files_of("assets")) + len(files_of("operation"))
    assert touched(before, rows(theirs.owner)) == []
    with enriching(theirs) as (installation, roles):
        with (
            connected(roles.url("assets", "entity_pipeline")) as one,
            connected(roles.url("operation", "entity_pipeline")) as other,
        ):
            assert [str(problem) for problem in missing_schema(one, other, *NEEDS)] == [
                "assets: the column gemini_spend_daily.day is required and the pipeline does not know it; make it "
                "nullable, or give it a default if it is in no key (docs/schema.md, Existing installations)."
            ]
        installation.post(MONDAY, "prada", "@Timberland", "twin.handle", "newcomer.madeup", times=2)
        installation.post(TUESDAY, "PRADA", "uniqlo_jp")
        installation.run_all(MONDAY, WEDNESDAY)
        links = {
            name: (value or {}).get("catalog_link", {}).get("status")
            for name, value in installation.accounts().items()
            if value
        }
        enriched = installation.everything()
        installation.run_all(MONDAY, WEDNESDAY)
        assert installation.everything() == enriched
    assert touched(before, rows(theirs.owner)) == []
    assert {name: link for name, link in links.items() if link} == {
        "Prada": "linked",
        "@Timberland": "held",
        "Twin.Handle": "held",
        "newcomer.madeup": "held",
        "uniqlo_jp": "held",
    }


@pytest.mark.nightly
def test_undoing_every_run_leaves_the_catalog_as_people_left_it(theirs: Production, tmp_path: Path) -> None:
    people = rows(theirs.owner)
    migrate(theirs.owner["assets"], theirs.owner["operation"])
    as_it_was = digests(people, rows(theirs.owner))
    with enriching(theirs) as (installation, roles):
        installation.post(
            MONDAY, "prada", "@Timberland", "uniqlo_jp", "361sport_official", "lumenveil.madeup"
        )
        installation.run_all(MONDAY)
        enriched = digests(people, rows(theirs.owner))
        command = Command(
            tmp_path,
            {
                "ASSETS_DATABASE_URL": roles.url("assets", "entity_pipeline"),
                "OPERATION_DATABASE_URL": roles.url("operation", "entity_pipeline_undo"),
            },
        )
        with psycopg.connect(theirs.owner["operation"]) as owner:
            runs = owner.execute(
                "select distinct metadata ->> 'run_id' from admin_audit_log where action like 'entity_enrichment.%'"
            ).fetchall()
        said = [command("undo", "--yes", "--run", run).out for (run,) in runs]
    changed = {table for table in people if enriched[table] != as_it_was[table]}
    assert changed == {"operation.brands", "operation.instagram_accounts"}
    assert [text.splitlines()[0] for text in said] == ["16 values restored, 2 entities removed."]
    assert digests(people, rows(theirs.owner)) == as_it_was


def test_a_roll_up_with_a_key_of_its_own_serves_both_after_the_documented_statements(
    theirs: Production,
) -> None:
    migrate(theirs.owner["assets"], theirs.owner["operation"])
    [statements] = re.findall(
        r"^```sql gemini_spend_daily\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    with (
        psycopg.connect(theirs.owner["assets"], autocommit=True) as owner,
        psycopg.connect(theirs.owner["operation"]) as operation,
        open_database(theirs.owner["assets"]) as assets_db,
    ):
        owner.execute(statements.encode())
        assert missing_schema(owner, operation, *NEEDS) == []
        upsert = (
            "insert into gemini_spend_daily (day, pipeline, model, calls) "
            "values (%s, 'captions', 'gemini-2.5-flash', 1) "
            "on conflict (day, pipeline, model) do update set calls = gemini_spend_daily.calls + 1"
        )
        assert roll_up_spend(assets_db, date(2025, 6, 1)) > 30
        for _ in range(2):
            owner.execute(upsert, [date(2025, 6, 1)])
        assert roll_up_spend(assets_db, date(2025, 6, 1)) == 0
        kept = owner.execute("select day, calls from gemini_spend_daily where day is not null").fetchall()
    assert kept == [(date(2025, 6, 1), 482)]


def test_the_row_of_settings_is_changed_where_its_author_is_a_uuid(theirs: Production) -> None:
    migrate(theirs.owner["assets"], theirs.owner["operation"])
    databases = {f"{name}_db": PostgresResource(url=url) for name, url in theirs.owner.items()}
    store = SettingsStore(**databases)
    on = edit_of(EntitySettings, [Assignment(("concurrency",), 2)], is_enabled=True)
    seen = store.row(EntitySettings)
    assert seen is not None
    made = store.change(EntitySettings, on, Actor(COMMAND_ACTOR, "cli", "me"), seen.updated_at)
    assert (made.is_enabled, made.settings, made.updated_by) == (True, {"concurrency": 2}, str(COMMAND_ACTOR))
    off = edit_of(EntitySettings, is_enabled=False)
    row = store.change(EntitySettings, off, Actor(PAGE_ACTOR, "page", "me"), made.updated_at)
    assert (row.is_enabled, row.settings, row.updated_by) == (False, {"concurrency": 2}, str(PAGE_ACTOR))


def test_duplicates_are_named_and_no_other_role_may_call_the_new_functions(theirs: Production) -> None:
    migrate(theirs.owner["assets"], theirs.owner["operation"])
    with psycopg.connect(theirs.owner["operation"], autocommit=True) as operation:
        said = list(doubled_rows(operation))
        callers = operation.execute(
            "select r.rolname, p.proname from pg_proc p cross join pg_roles r "
            "where p.proname like 'entity\\_pipeline\\_queue%' and has_function_privilege(r.oid, p.oid, 'execute') "
            "and r.rolname in ('anon', 'authenticated', 'service_role')"
        ).fetchall()
    assert "handles with more than one active account: 1 (@twin.handle, Twin.Handle)" in said[0]
    assert any("names that belong to more than one row of groups" in sentence for sentence in said)
    assert callers == []
