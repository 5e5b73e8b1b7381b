"""Least privilege: everything runs as the roles of docs/schema.md, which may do nothing that they do not need.

The other half: `doctor` names each policy that would silently hide a row or skip an update.
"""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from psycopg import sql

from entity_pipeline.core.audit import PAGE_ACTOR, Actor
from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.settings import Open, SettingsRow, Version
from entity_pipeline.core.settings_change import Assignment, edit_of
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.influencers.insights import STEP
from entity_pipeline.domains.influencers.page.figures import InfluencerFigures
from entity_pipeline.domains.influencers.page.list_values import TaskQuery
from entity_pipeline.domains.influencers.queue.requests import Answer
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.schema_check import missing_schema
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.gemini_spend.forgotten import forget_subjects
from entity_pipeline_tests import needs
from entity_pipeline_tests.admin.installations import installation_of
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, WEDNESDAY, graph
from entity_pipeline_tests.needs import NEEDS
from entity_pipeline_tests.reliability.documented_roles import Kind, Role, Roles, connected, documented_roles
from entity_pipeline_tests.standins import GeminiStandin, InstagramStandin

PIPELINE: Role = "entity_pipeline"
UNDO: Role = "entity_pipeline_undo"
PAGE: Role = "entity_pipeline_page"

SOMEBODY = "00000000-0000-4000-8000-000000000001"

# One row that a person or the collector made in each table, beside what migrations put there.
ROWS: dict[Kind, dict[str, str]] = {
    "assets": {
        "raw_posts": "insert into raw_posts (platform, external_id) values ('instagram', 'p1')",
        "raw_post_sources": "insert into raw_post_sources (platform, source_type, source_identifier) "
        "values ('i', 't', 's')",
        "tagged_usernames": "insert into tagged_usernames (day, username, posts, first_seen_at, last_seen_at) "
        "values ('2026-01-05', 'a', 1, now(), now())",
        "intake_days": "insert into intake_days values ('2026-01-05', now(), 1)",
        "review_refreshes": "insert into review_refreshes (name, scope, started_at, started_by) "
        "values ('all-1', 'all', now(), 'cli')",
        "enrichment_queue": "insert into enrichment_queue (account_id, created_at, changed_at, cohort, posts, state, "
        f"reasons, handle) values ('{SOMEBODY}', now(), now(), '2026-01-05', 1, 'pending', '{{}}', 'somebody')",
        "tagged_days": "insert into tagged_days values ('2026-01-05', 0, 'r', 1, '{}', now())",
        "pipeline_settings": "insert into pipeline_settings (platform) values ('another')",
        "gemini_usage_events": "insert into gemini_usage_events (pipeline, step, model, grounded, state) "
        "values ('another', 's', 'gemini-2.5-flash', true, 'settled')",
        "gemini_batches": "insert into gemini_batches (name, content_hash, pipeline, step, model, state, requests, "
        "created_at, lease_until) values ('b', 'c', 'another', 's', 'm', 'submitted', 1, now(), now())",
        "gemini_spend_daily": "insert into gemini_spend_daily (quota_day, pipeline, step, model) "
        "values ('2026-01-05', 'another', 's', 'm')",
        "instagram_routes": "insert into instagram_routes (name, proxy_secret) values ('p', 'sealed')",
        "instagram_pool_accounts": "insert into instagram_pool_accounts (username, session_secret) "
        "values ('ours', 'sealed')",
        "instagram_request_log": "insert into instagram_request_log (account_key, route, host, requested_at) "
        "values ('session:ours', 'direct', 'h', now())",
        "persons": f"insert into persons (id) values ('{SOMEBODY}')",
        "blogs": f"insert into blogs (id, person_id, username) values ('{SOMEBODY}', '{SOMEBODY}', 'somebody')",
        "blog_posts": "insert into blog_posts (blog_id, platform_id, code, taken_at) "
        f"values ('{SOMEBODY}', 1, 'C0de', now())",
        "blog_highlights": f"insert into blog_highlights (blog_id, platform_id) values ('{SOMEBODY}', 1)",
        "blog_categories": "insert into blog_categories (blog_id, category_id) "
        f"select '{SOMEBODY}', min(id) from categories",
        "erased_people": "insert into erased_people (platform, subject_hash, erased_by) "
        "values ('instagram', 'h', 'cli')",
        "hashtag_discoveries": "insert into hashtag_discoveries (hashtag, posts, people, known, refused, added) "
        "values ('food', 1, 1, 0, 0, 1)",
        "scrape_tasks": "insert into scrape_tasks (task_type, task_key, priority, max_attempts) "
        f"values ('full_scrape', '{SOMEBODY}', 1, 4)",
    },
    "operation": {
        "artists": f"insert into artists (id, name_en) values ('{SOMEBODY}', 'Somebody')",
        "brands": f"insert into brands (id, name_en) values ('{SOMEBODY}', 'Something')",
        "groups": f"insert into groups (id, name_en) values ('{SOMEBODY}', 'Some')",
        "instagram_accounts": "insert into instagram_accounts (username) values ('somebody')",
        "admin_audit_log": "insert into admin_audit_log (admin_user_id, action, target_table) "
        f"values ('{SOMEBODY}', 'edited', 'brands')",
        "group_members": f"insert into group_members (group_id, artist_id) values ('{SOMEBODY}', '{SOMEBODY}')",
    },
}


@pytest.fixture
def filled(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> dict[Kind, ClonedDatabase]:
    """Both databases with a foreign row in each table."""
    databases: dict[Kind, ClonedDatabase] = {"assets": assets_db, "operation": operation_db}
    for kind, database in databases.items():
        with database.connection() as connection:
            for statement in ROWS[kind].values():
                connection.execute(statement)
    return databases


@pytest.fixture
def roles(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Roles]:
    with documented_roles(assets_db, operation_db) as made:
        yield made


def rows(database: ClonedDatabase, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query).fetchall()


def test_the_whole_graph_runs_as_the_roles_of_the_page(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, roles: Roles
) -> None:
    with (
        roles.database(assets_db, "assets", PIPELINE) as assets,
        roles.database(operation_db, "operation", PIPELINE) as operation,
        graph(assets, operation) as installation,
    ):
        installation.post(MONDAY, "prada", "@Timberland", "brokenreply.madeup", times=2)
        installation.post(TUESDAY, "prada", "uniqlo_jp", "vanished.shop.madeup")
        installation.run_all(MONDAY, WEDNESDAY)
        spend = installation.definitions.resolve_job_def("spend_job")
        assert spend.execute_in_process(instance=installation.instance).success
        ends = {
            name: (value["profile_backfill"]["outcome"], value["catalog_link"]["status"])
            for name, value in installation.accounts().items()
        }
        assert ends == {
            "prada": ("found", "created"),
            "timberland": ("found", "created"),
            "brokenreply.madeup": ("found", "created"),
            "uniqlo_jp": ("found", "created"),
            "vanished.shop.madeup": ("not_found", "created"),
        }
        assert installation.gemini.requests["grounded"] == 5
        before = installation.everything()
        installation.run_all(MONDAY, WEDNESDAY)
        assert installation.everything() == before
    assert rows(assets_db, "select sum(grounded_requests) from gemini_spend_daily") == [(5,)]
    writers = rows(
        operation_db, "select count(*), bool_and(metadata ->> 'pipeline' is not null) from admin_audit_log"
    )
    assert writers[0][1]


@pytest.fixture
def command(tmp_path: Path, roles: Roles) -> Iterator[Command]:
    with GeminiStandin(latency_ms=0) as gemini, InstagramStandin(latency_ms=0) as instagram:
        (tmp_path / "cookies.json").write_text(
            '[{"name": "csrftoken", "value": "c", "domain": ".instagram.com"},'
            ' {"name": "sessionid", "value": "s", "domain": ".instagram.com"},'
            ' {"name": "ds_user_id", "value": "1", "domain": ".instagram.com"}]'
        )
        yield Command(
            tmp_path,
            {
                "ASSETS_DATABASE_URL": roles.url("assets", PIPELINE),
                "OPERATION_DATABASE_URL": roles.url("operation", PIPELINE),
                "GEMINI_BASE_URL": gemini.url,
                "INSTAGRAM_BASE_URL": instagram.url,
                "INSTAGRAM_SESSION_KEYS": Fernet.generate_key().decode(),
            },
        )


def test_the_commands_of_a_day_work_as_these_roles(
    command: Command, assets_db: ClonedDatabase, roles: Roles
) -> None:
    ended = [
        command("settings", "set", "daily_grounding_cap=7"),
        command("settings", "enable"),
        command("pool", "add", "ours", "--cookies", "cookies.json"),
        command("pool", "disable", "ours"),
        command("status"),
        command("doctor"),
    ]
    assert [one.code for one in ended] == [0] * len(ended), [one.said for one in ended if one.code]
    assert "Both schemas have what the pipeline needs." in ended[-1].out

    with assets_db.connection() as connection:
        hide = sql.SQL("alter policy {} on tagged_usernames using (day < '2000-01-01')")
        connection.execute(hide.format(sql.Identifier(roles.names["assets", PIPELINE])))
    found = command("doctor")
    assert found.code != 0
    assert "error assets: row-level security can keep rows of tagged_usernames from this role" in found.out


def test_what_enrich_creates_only_the_role_for_undo_removes(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, roles: Roles
) -> None:
    with assets_db.connection() as connection:
        connection.execute("update pipeline_settings set is_enabled = true")
        connection.execute(
            "insert into raw_posts (platform, external_id, platform_metadata) values "
            "('instagram', 'p1', '{\"tagged_usernames\": [\"prada\"]}')"
        )
    enriched = command("enrich")
    assert enriched.code == 0, enriched.said
    assert rows(operation_db, "select name_en from brands") == [("Prada",)]

    refused = command("undo", "--yes", "--account", "prada").failure
    assert "permission denied for table brands" in refused
    assert "docs/schema.md" in refused
    assert rows(operation_db, "select name_en from brands") == [("Prada",)]

    undone = command(
        "undo", "--yes", "--account", "prada", OPERATION_DATABASE_URL=roles.url("operation", UNDO)
    )
    assert undone.code == 0, undone.said
    assert rows(operation_db, "select count(*) from brands") == [(0,)]


def test_doctor_finds_nothing_missing_for_the_role_for_undo(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, roles: Roles
) -> None:
    with (
        connected(roles.url("assets", PIPELINE)) as assets,
        connected(roles.url("operation", UNDO)) as operation,
    ):
        assert missing_schema(assets, operation, *NEEDS) == []


def test_a_role_from_before_captions_is_named_and_mended_by_the_grant_of_the_upgrade_notes(
    filled: dict[Kind, ClonedDatabase], roles: Roles
) -> None:
    pipeline, page = roles.names["assets", PIPELINE], roles.names["assets", PAGE]
    notes = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
    [grant] = re.findall(r"^ +(grant select \(caption\) .+);$", notes, re.MULTILINE)
    with filled["assets"].connection() as connection:
        revoke = sql.SQL("revoke select (caption) on raw_posts from {}, {}")
        connection.execute(revoke.format(sql.Identifier(pipeline), sql.Identifier(page)))
        [said] = said_of(filled, "assets", "raw_posts", pipeline)
        assert "may not select (caption) on raw_posts" in said
        to_these = f'{grant.partition(" to ")[0]} to "{pipeline}", "{page}"'
        connection.execute(to_these.encode())
    assert said_of(filled, "assets", "raw_posts", pipeline) == []


SETTINGS_OF_OTHERS = "update pipeline_settings set is_enabled = true where platform = 'another'"
OF_EACH: list[tuple[Kind, Role, str]] = [
    ("assets", PIPELINE, "gemini_usage_events"),
    ("assets", PAGE, "pipeline_settings"),
    ("operation", PIPELINE, "brands"),
    ("operation", UNDO, "brands"),
    ("operation", PAGE, "brands"),
]
REFUSED: list[tuple[Kind, Role, str]] = [
    *(
        ("assets", PIPELINE, statement)
        for statement in (
            "insert into raw_posts (platform, external_id) values ('instagram', 'p2')",
            "update raw_posts set platform_metadata = '{}'",
            "update raw_posts set status = 'VERIFIED'",
            "delete from raw_posts",
            "truncate raw_posts",
            "select author_name from raw_posts",
            "select * from raw_post_sources",
            "update raw_post_sources set is_active = false",
            SETTINGS_OF_OTHERS,
            "insert into pipeline_settings (platform) values ('third')",
            "delete from pipeline_settings",
            "delete from gemini_usage_events",
            "truncate gemini_usage_events",
            "update gemini_usage_events set cost_usd = 0, grounded = false",
            "update gemini_usage_events set state = 'released' where state = 'settled'",
            "insert into gemini_usage_events (pipeline, step, model) values ('another', 's', 'm')",
            "insert into gemini_usage_events (pipeline, step, model, state) "
            "values ('entity_enrichment', 's', 'm', 'settled')",
            "delete from gemini_batches",
            "delete from gemini_spend_daily",
            "delete from instagram_request_log",
            "update instagram_request_log set requested_at = now() - interval '1 day'",
            "delete from instagram_pool_accounts",
            "delete from instagram_routes",
            "delete from intake_days",
            "delete from review_refreshes",
            "delete from enrichment_queue_sweep",
            "insert into enrichment_queue_sweep (is_the_row) values (false)",
            "delete from review_evaluations",
        )
    ),
    *(
        ("operation", PIPELINE, statement)
        for statement in (
            *(f"delete from {table}" for table in ("artists", "brands", "groups", "instagram_accounts")),
            *(f"update {table} set metadata = '{{}}'" for table in ("artists", "brands", "groups")),
            "update instagram_accounts set username = 'other'",
            "update instagram_accounts set is_active = false",
            "update instagram_accounts set wikidata_id = 'Q1', needs_review = false",
            f"insert into group_members (group_id, artist_id) values ('{SOMEBODY}', '{SOMEBODY}')",
            "update group_members set is_active = false",
            "delete from group_members",
            "update admin_audit_log set action = 'x'",
            "delete from admin_audit_log",
            "select * from admin_audit_log",  # a person's rows are not there for it
            "insert into admin_audit_log (admin_user_id, action, target_table) values "
            f"('{SOMEBODY}', 'edited', 'brands')",
        )
    ),
    *(
        ("operation", UNDO, statement)
        for statement in (
            "delete from instagram_accounts",
            "delete from group_members",
            "update group_members set is_active = false",
            f"insert into group_members (group_id, artist_id) values ('{SOMEBODY}', '{SOMEBODY}')",
            "delete from admin_audit_log",
            "update instagram_accounts set username = 'other'",
        )
    ),
    *(
        ("assets", PAGE, statement)
        for statement in (
            "select * from raw_posts",
            "select session_secret from instagram_pool_accounts",
            "select proxy_secret from instagram_routes",
            "update instagram_pool_accounts set state = 'disabled'",
            "insert into gemini_usage_events (pipeline, step, model) values ('entity_enrichment', 's', 'm')",
            "update gemini_usage_events set cost_usd = 0",
            "delete from gemini_usage_events",
            "update gemini_spend_daily set cost_usd = 0",
            "delete from tagged_usernames",
            "delete from blogs",
            "update blogs set username = 'other'",
            "update scrape_tasks set status = 'done'",
            "delete from scrape_tasks",
            "update erased_people set subject_hash = 'other'",
            "delete from erased_people",
            SETTINGS_OF_OTHERS,
            "delete from pipeline_settings",
        )
    ),
    *(
        ("operation", PAGE, statement)
        for statement in (
            *(
                f"update {table} set name_en = 'x'"
                for table in ("artists", "brands", "groups", "instagram_accounts")
            ),
            "insert into brands (name_en) values ('x')",
            "delete from brands",
            "select * from group_members",
            "insert into admin_audit_log (admin_user_id, action, target_table) values "
            f"('{SOMEBODY}', 'edited', 'brands')",
            "update admin_audit_log set action = 'x'",
            "delete from admin_audit_log",
        )
    ),
    *(
        (kind, role, statement)
        for kind, role, table in OF_EACH
        for statement in (
            f"alter table {table} add column more text",
            f"alter table {table} disable row level security",
            f"create policy more on {table} using (true)",
            f"drop table {table}",
            "create table mine (id int)",
            "create role more",
            "select * from entity_pipeline.schema_migrations",
            "select rolpassword from pg_authid",
        )
    ),
]


@pytest.mark.parametrize(("kind", "role"), sorted({(kind, role) for kind, role, _ in REFUSED}))
def test_a_role_can_not_do_what_it_does_not_need(
    filled: dict[Kind, ClonedDatabase], roles: Roles, kind: Kind, role: Role
) -> None:
    """Each is refused with an error or, where a policy decides, affects no row."""
    tried = [statement for of_kind, of_role, statement in REFUSED if (of_kind, of_role) == (kind, role)]
    with connected(roles.url(kind, role)) as connection:
        assert [statement for statement in tried if not is_refused(connection, statement)] == []
    for table in ROWS[kind]:
        assert rows(filled[kind], f"select count(*) > 0 from {table}") == [(True,)]


def is_refused(connection: psycopg.Connection[Any], statement: str) -> bool:
    try:
        return connection.execute(sql.SQL(statement)).rowcount == 0
    except psycopg.errors.InsufficientPrivilege:
        return True


def test_the_role_of_the_page_reads_what_it_shows_and_makes_its_one_change_with_an_audit_row(
    filled: dict[Kind, ClonedDatabase], roles: Roles
) -> None:
    with connected(roles.url("operation", PAGE)) as operation:
        for table in ROWS["operation"].keys() - {"group_members"}:
            assert operation.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).rowcount == 1
        operation.execute(
            "insert into admin_audit_log (admin_user_id, action, target_table, before_state, after_state) "
            "values (%s, 'settings.changed', 'pipeline_settings', '{}', '{}')",
            [SOMEBODY],
        )
    with connected(roles.url("assets", PAGE)) as assets:
        for table in (
            "tagged_usernames",
            "gemini_usage_events",
            "gemini_spend_daily",
            "instagram_request_log",
            "enrichment_queue",
            "enrichment_queue_sweep",
        ):
            assert assets.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).rowcount == 1
        assert assets.execute("select state, cooling_until from instagram_routes").rowcount == 2
        assert assets.execute("select username, state from instagram_pool_accounts").fetchall() == [
            ("ours", "active")
        ]
    database = PostgresResource(url=roles.url("assets", PAGE))
    store = SettingsStore(assets_db=database, operation_db=PostgresResource(url=roles.url("operation", PAGE)))
    person = Actor(PAGE_ACTOR, "page", "a person")
    on = edit_of(EntitySettings, is_enabled=True)
    store.change(EntitySettings, on, person, seen=version(store.row(EntitySettings)))
    seven = edit_of(GeminiSettings, [Assignment(("daily_grounding_cap",), 7)])
    changed = store.change(GeminiSettings, seven, person, seen=version(store.row(GeminiSettings)))
    assert changed.settings == {"daily_grounding_cap": 7}
    gate = store.gate(EntitySettings)
    assert isinstance(gate, Open)
    gemini = GeminiResource(assets_db=database, api_key="any")
    assert gemini.quota().cap == 7


def test_the_role_of_the_page_shows_the_influencers_and_asks_for_blogs(
    filled: dict[Kind, ClonedDatabase], roles: Roles
) -> None:
    del filled
    assets = PostgresResource(url=roles.url("assets", PAGE))
    figures = InfluencerFigures(installation_of(assets, PostgresResource(url=roles.url("operation", PAGE))))
    assert figures.blog_counts().total == 1
    assert [row.subject for row in figures.task_page(TaskQuery()).rows] == ["somebody"]
    found = figures.blog("somebody")
    assert found is not None
    assert [len(found.posts), len(found.highlights), len(found.tasks), found.ledger] == [1, 1, 1, []]
    assert figures.money().batches == []
    assert figures.budget().used == 0
    answers = figures.ask(["somebody", "new.name"], ["food"])
    assert answers.counted == {Answer.WAS_THERE: 1, Answer.MADE: 2}


def test_the_role_of_the_pipeline_forgets_texts_of_the_influencers_and_of_no_other_pipeline(
    filled: dict[Kind, ClonedDatabase], roles: Roles
) -> None:
    theirs = Step("entities", "entity_enrichment", STEP.name)
    with filled["assets"].connection() as owner:
        for step in (STEP, theirs):
            owner.execute(
                "insert into gemini_usage_events (pipeline, step, model, grounded, state, subject, reply) "
                "values (%s, %s, 'gemini-2.5-flash', false, 'settled', 's', '{}')",
                [step.pipeline, step.name],
            )
    with connected(roles.url("assets", PIPELINE)) as connection:
        assert forget_subjects(connection, theirs, ["s"]) == 0
        assert forget_subjects(connection, STEP, ["s"]) == 1
    kept = "select pipeline from gemini_usage_events where subject = 's' and reply is not null"
    assert rows(filled["assets"], kept) == [(theirs.pipeline,)]


def version(row: SettingsRow | None) -> Version | None:
    return row.updated_at if row is not None else None


# How a role can be kept from rows without any error. `{role}` is the role, `{table}` the table; what has to be
# named, and whether the role still sees every row.
ALL = "create policy all_of_it on {table} to {role} using (true);"
HIDING = {
    "no policy at all": ("", True),
    "a policy for another role": ("create policy p on {table} to pg_monitor using (true);", True),
    "a condition on all": ("create policy p on {table} to {role} using (now() < '2000-01-01');", True),
    "a condition on a column": ("create policy p on {table} to {role} using ({table} is null);", True),
    "a restriction beside it": (ALL + "create policy p on {table} as restrictive using (false);", True),
    "the rows are shown": (ALL, False),
    "shown to everybody": ("create policy p on {table} using (true);", False),
    "a condition that always holds": ("create policy p on {table} using (current_user <> 'nobody');", False),
    "a restriction for another role": (
        ALL + "create policy p on {table} as restrictive to pg_monitor using (false);",
        False,
    ),
    "one of two shows all": (ALL + "create policy p on {table} using (false);", False),
    "bypassrls": ("alter role {role} bypassrls;", False),
    "the owner": ("alter table {table} owner to {role};", False),
    "the owner under force": (
        "alter table {table} owner to {role}; alter table {table} force row level security;",
        True,
    ),
    "no row-level security": ("alter table {table} disable row level security;", False),
}
TABLES: list[tuple[Kind, str]] = [(kind, table) for kind, tables in needs.TABLES.items() for table in tables]


@pytest.fixture
def anyone(filled: dict[Kind, ClonedDatabase]) -> Iterator[str]:
    """A role with every right, and without a policy on any table."""
    name = f"anyone_{uuid.uuid4().hex}"
    for database in filled.values():
        with database.connection() as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
                connection.execute(sql.SQL("create role {}").format(sql.Identifier(name)))
            granted = sql.SQL(
                "grant all on all tables in schema public to {0}; grant create on schema public to {0}"
            )
            connection.execute(granted.format(sql.Identifier(name)))
    yield name
    for database in filled.values():
        with database.connection() as connection:
            owned = sql.SQL("reassign owned by {0} to current_user; drop owned by {0}")
            connection.execute(owned.format(sql.Identifier(name)))
    with filled["assets"].connection() as connection:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def said_of(filled: dict[Kind, ClonedDatabase], kind: Kind, table: str, role: str) -> list[str]:
    """What `doctor` prints of the table when the pipeline's role is `role`."""
    with filled["assets"].connection() as assets, filled["operation"].connection() as operation:
        as_role = {"assets": assets, "operation": operation}[kind]
        as_role.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        try:
            problems = missing_schema(assets, operation, *NEEDS)
        finally:
            as_role.execute("reset role")
    return [str(problem) for problem in problems if (problem.database, problem.table) == (kind, table)]


def prepare(database: ClonedDatabase, statements: str, table: str, role: str) -> None:
    with database.connection() as connection:
        connection.execute(sql.SQL(statements.format(table=table, role=role)))


def visible(database: ClonedDatabase, table: str, role: str) -> tuple[int, int]:
    """How many rows the role sees, and how many there are."""
    counts = []
    with database.connection() as connection:
        count = sql.SQL("select count(*)::int from {}").format(sql.Identifier(table))
        for name in (role, None):
            if name is not None:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(name)))
            found = connection.execute(count).fetchone()
            connection.execute("reset role")
            assert found is not None
            counts.append(found[0])
    return counts[0], counts[1]


@pytest.mark.parametrize("way", HIDING)
def test_silently_hidden_rows_are_named_for_every_table(
    filled: dict[Kind, ClonedDatabase], anyone: str, way: str
) -> None:
    statements, hides = HIDING[way]
    for kind, table in TABLES:
        prepare(filled[kind], statements, table, anyone)
    for kind, table in TABLES:
        seen, there = visible(filled[kind], table, anyone)
        assert (seen < there) is hides
        sentences = said_of(filled, kind, table, anyone)
        assert bool(sentences) is hides, (table, sentences)
        for sentence in sentences:
            assert sentence.startswith(f"{kind}: row-level security ")
            assert table in sentence
            assert sentence.endswith(", or give the role bypassrls.")


@pytest.mark.parametrize("command", ["update", "insert"])
@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_a_policy_that_shows_rows_and_skips_a_write_is_named(
    filled: dict[Kind, ClonedDatabase], anyone: str, kind: Kind, table: str, command: str
) -> None:
    others = {"select", "insert", "update", "delete"} - {command}
    allowed = "".join(
        f"create policy may_{other} on {{table}} for {other} to {{role}} "
        + ("with check (true);" if other == "insert" else "using (true);")
        for other in sorted(others)
    )
    held = "with check (false)" if command == "insert" else "using (false)"
    prepare(filled[kind], f"{allowed} create policy held on {{table}} for {command} {held};", table, anyone)
    needed = command in needs.TABLES[kind][table].privileges
    sentences = said_of(filled, kind, table, anyone)
    assert bool(sentences) is needed
    assert all(f"{command} is limited by the condition of policy held" in sentence for sentence in sentences)
    if command == "update":
        with filled[kind].connection() as connection:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(anyone)))
            described = needs.TABLES[kind][table]
            column = next(name for name in described.columns if name not in described.made_there)
            skipped = sql.SQL("update {} set {} = {}").format(*map(sql.Identifier, (table, column, column)))
            count = connection.execute(skipped).rowcount
            connection.execute("reset role")
        assert count == 0


def test_a_member_that_undo_could_not_see_is_named(filled: dict[Kind, ClonedDatabase], roles: Roles) -> None:
    role = roles.names["operation", UNDO]
    assert said_of(filled, "operation", "group_members", role) == []
    with filled["operation"].connection() as connection:
        for (name,) in connection.execute(
            "select polname from pg_policy where polrelid = 'group_members'::regclass"
        ).fetchall():
            connection.execute(sql.SQL("drop policy {} on group_members").format(sql.Identifier(name)))
    [sentence] = said_of(filled, "operation", "group_members", role)
    assert "hides the rows of group_members from this role: no policy allows select" in sentence
    assert said_of(filled, "operation", "group_members", roles.names["operation", PIPELINE]) == []


@pytest.mark.parametrize(
    ("condition", "fine"),
    [
        ("platform in ('entity_enrichment', 'influencers', 'gemini', 'instagram', 'notify')", True),
        ("platform <> 'another'", True),
        ("platform in ('entity_enrichment', 'gemini', 'instagram', 'notify')", False),
        ("platform = 'entity_enrichment'", False),
        ("platform <> 'gemini'", False),
        ("is_enabled", False),
    ],
)
def test_a_condition_is_fine_when_it_is_true_of_our_own_rows(
    filled: dict[Kind, ClonedDatabase], anyone: str, condition: str, fine: bool
) -> None:
    prepare(
        filled["assets"], f"create policy p on {{table}} using ({condition});", "pipeline_settings", anyone
    )
    assert (said_of(filled, "assets", "pipeline_settings", anyone) == []) is fine


def test_a_policy_that_hides_other_pipelines_requests_from_the_cap_is_named(
    filled: dict[Kind, ClonedDatabase], anyone: str
) -> None:
    policy = "create policy p on {table} using (pipeline in ('entity_enrichment', 'influencers'));"
    prepare(filled["assets"], policy, "gemini_usage_events", anyone)
    [sentence] = said_of(filled, "assets", "gemini_usage_events", anyone)
    assert "select is limited by the condition of policy p" in sentence


def test_a_policy_that_lets_only_some_open_requests_be_settled_is_named(
    filled: dict[Kind, ClonedDatabase], anyone: str
) -> None:
    policies = (
        "create policy r on {table} for select using (true); create policy i on {table} for insert with check (true);"
        "create policy u on {table} for update using (state in ('reserved', 'sent')) with check (true);"
    )
    prepare(filled["assets"], policies, "gemini_usage_events", anyone)
    [sentence] = said_of(filled, "assets", "gemini_usage_events", anyone)
    assert "update is limited by the condition of policy u" in sentence
