"""`migrate` on live databases: writers are not kept waiting, and leftovers of an earlier run are cleaned up."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.migrations import migrate
from entity_pipeline.migrations.blockers import APPLICATION_NAME
from entity_pipeline.migrations.files import files_of
from entity_pipeline.migrations.plan import plan
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.migrations.older_installation import older_installation
from entity_pipeline_tests.migrations.production import Production, production
from entity_pipeline_tests.pgbouncer import transaction_pooler

INDEX = "entity_pipeline_raw_posts_created_at"
INDEX_FILE = "assets/20260101000210_raw_posts_created_at_index.sql"
BUILD = f"create index concurrently {INDEX} on raw_posts (created_at)"
# The files' lock_timeout, and a second for a busy machine.
PATIENCE = "6s"
# A statement, and how many of its writes are there.
WRITES = {
    "assets": (
        (
            "update raw_posts set caption = caption || '+' "
            "where id = (select id from raw_posts order by random() limit 1)",
            "select sum(length(caption) - length(replace(caption, '+', ''))) from raw_posts",
        ),
        (
            "insert into gemini_usage_events (pipeline, step, model) values ('captions', 'describe', 'm')",
            "select count(*) from gemini_usage_events where model = 'm'",
        ),
        (
            "update pipeline_settings set settings = jsonb_set(settings, '{depth}', to_jsonb((settings->>'depth')::int "
            "+ 1)) where platform = 'pinterest'",
            "select (settings->>'depth')::int - 3 from pipeline_settings where platform = 'pinterest'",
        ),
    ),
    "operation": (
        (
            "update instagram_accounts set bio = concat(bio, '+') "
            "where username = 'seen.' || (2 + random() * 5000)::int",
            "select sum(length(bio) - length(replace(bio, '+', ''))) from instagram_accounts",
        ),
        (
            "insert into instagram_accounts (username) values (gen_random_uuid()::text || '.new')",
            "select count(*) from instagram_accounts where username like '%.new'",
        ),
        (
            "update brands set name_ko = concat(name_ko, '+') where name_en = 'Brand ' || (1 + random() * 3000)::int",
            "select sum(length(name_ko) - length(replace(name_ko, '+', ''))) from brands",
        ),
        (
            "insert into artists (name_en) values ('New')",
            "select count(*) from artists where name_en = 'New'",
        ),
    ),
}


@pytest.fixture
def theirs(database_server: DatabaseServer) -> Iterator[Production]:
    with production(database_server) as made:
        yield made


@pytest.fixture
def older(database_server: DatabaseServer) -> Iterator[tuple[str, str]]:
    with older_installation(database_server) as urls:
        yield urls


def write(url: str, statement: str, stop: threading.Event) -> int:
    """Run the statement until stopped; raises when it had to wait too long. Returns how many rows it wrote."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(f"set lock_timeout = '{PATIENCE}'")
        count = 0
        while not stop.wait(0.01):
            count += connection.execute(statement.encode()).rowcount
    return count


def counted(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def test_no_writer_waits_longer_than_a_lock_timeout_and_nothing_is_lost(theirs: Production) -> None:
    stop, said = threading.Event(), []
    writes = [(theirs.owner[name], *write) for name, all_ in WRITES.items() for write in all_]
    with (
        psycopg.connect(theirs.owner["operation"], application_name="an editor") as editor,
        psycopg.connect(theirs.owner["assets"], application_name="a collector") as collector,
        ThreadPoolExecutor(len(writes)) as pool,
    ):
        writers = [pool.submit(write, url, statement, stop) for url, statement, _ in writes]
        editor.execute("update instagram_accounts set bio = 'y' where username = 'seen.1'")
        collector.execute(
            "insert into gemini_usage_events (pipeline, step, model) values ('a', 'b', 'of a collector')"
        )
        holders = {
            "assets/20260101000120_gemini_usage.sql": collector,
            "operation/20260101001010_classification.sql": editor,
        }
        pids = {file: holder.info.backend_pid for file, holder in holders.items()}

        def hear(sentence: str) -> None:
            said.append(sentence)
            for file, holder in holders.items():
                if f"gave way at {file}" in sentence:
                    holder.commit()

        try:
            applied = migrate(theirs.owner["assets"], theirs.owner["operation"], say=hear)
        finally:
            stop.set()
            editor.commit()
            collector.commit()
        written = [writer.result() for writer in writers]
    assert applied == [file.name for name in ("assets", "operation") for file in files_of(name)]
    for file, who in zip(holders, ("a collector", "an editor"), strict=True):
        told = [sentence for sentence in said if f"process {pids[file]} ({who}, role " in sentence]
        assert told[0].startswith("waiting for process")
        assert f"gave way at {file}" in " ".join(told)
    assert min(written) > 0
    assert [counted(url, query) for url, _, query in writes] == written
    assert (
        counted(
            theirs.owner["assets"], "select count(*) from gemini_usage_events where model = 'of a collector'"
        )
        == 1
    )
    assert migrate(theirs.owner["assets"], theirs.owner["operation"]) == []


def test_a_lock_that_is_never_given_is_a_failure_that_names_its_holder(older: tuple[str, str]) -> None:
    with psycopg.connect(older[0], application_name="a long report") as person:
        person.execute("lock table pipeline_settings in access share mode")
        with pytest.raises(DatabaseUnavailable, match=r"lock timeout.*a long report.*run it again") as raised:
            migrate(*older, patience_s=0)
        assert f"process {person.info.backend_pid}" in str(raised.value)
    assert migrate(*older)[0] == "assets/20260101000110_pipeline_settings.sql"


def test_a_dropped_index_is_built_again(older: tuple[str, str]) -> None:
    migrate(*older)
    with psycopg.connect(older[0], autocommit=True) as connection:
        connection.execute(f"drop index {INDEX}".encode())
    assert migrate(*older) == [INDEX_FILE]
    assert migrate(*older) == []


def test_a_build_that_was_killed_leaves_an_invalid_index_that_is_built_again(older: tuple[str, str]) -> None:
    with psycopg.connect(older[0]) as person, psycopg.connect(older[0], autocommit=True) as killed:
        person.execute("update raw_posts set external_id = external_id")
        killed.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            killed.execute(BUILD.encode())
        person.rollback()
        assert is_valid(killed) == (False,)
        assert INDEX_FILE in migrate(*older)
        assert is_valid(killed) == (True,)


def test_a_build_that_outlived_its_process_is_waited_for_and_kept(older: tuple[str, str]) -> None:
    said: list[str] = []
    with (
        psycopg.connect(older[0]) as person,
        psycopg.connect(older[0], autocommit=True, application_name=APPLICATION_NAME) as orphan,
        psycopg.connect(older[0], autocommit=True) as observer,
        ThreadPoolExecutor(1) as pool,
    ):
        person.execute("update raw_posts set external_id = external_id")
        build = pool.submit(orphan.execute, BUILD.encode())
        while is_valid(observer) is None:
            pass

        def hear(sentence: str) -> None:
            said.append(sentence)
            person.rollback()

        applied = migrate(*older, say=hear)
        build.result()
        pid = orphan.info.backend_pid
    assert said == [f"waiting for a statement of an earlier migration (process {pid})"]
    assert applied == [file.name for name in ("assets", "operation") for file in files_of(name)]
    with psycopg.connect(older[0]) as connection:
        assert is_valid(connection) == (True,)
    assert migrate(*older) == []


@pytest.mark.needs_pgbouncer
def test_all_of_it_works_through_a_transaction_pooler(older: tuple[str, str], fast_path: Path) -> None:
    with transaction_pooler(older[0], fast_path) as pooled:
        database = urlsplit(older[1]).path
        urls = pooled, urlunsplit(urlsplit(pooled)._replace(path=database))
        assert len(plan(*urls)) == len(migrate(*urls)) > 0
        assert migrate(*urls) == []
        assert plan(*urls) == []


@pytest.mark.needs_pgbouncer
def test_it_also_works_while_others_use_the_pooler(theirs: Production, fast_path: Path) -> None:
    stop = threading.Event()
    with (
        transaction_pooler(theirs.superuser["assets"], fast_path, connections=8) as pooled,
        ThreadPoolExecutor(3) as executor,
    ):
        place = urlsplit(pooled).netloc.rpartition("@")[2]
        owner = {
            name: urlsplit(url)._replace(netloc=f"{urlsplit(url).netloc.rpartition('@')[0]}@{place}").geturl()
            for name, url in theirs.owner.items()
        }
        writers = [
            executor.submit(write, owner["assets"], statement, stop) for statement, _ in WRITES["assets"]
        ]
        try:
            applied = migrate(owner["assets"], owner["operation"])
        finally:
            stop.set()
        assert all(writer.result() > 0 for writer in writers)
    assert applied == [file.name for name in ("assets", "operation") for file in files_of(name)]


def is_valid(connection: psycopg.Connection) -> tuple[bool] | None:
    query = "select indisvalid from pg_index where indexrelid = to_regclass(%s)"
    return connection.execute(query, [f"public.{INDEX}"]).fetchone()
