"""`entity-pipeline instagram pool` as a person runs it."""

import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.cli.settings_row import write_settings
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.standins import InstagramStandin

KEY = Fernet.generate_key().decode()
SESSION = {"csrftoken": "c-s3cret", "sessionid": "1%3As3cret", "ds_user_id": "1"}
PROXY = "http://user:s3cret@127.0.0.1:9"


@pytest.fixture
def instagram() -> Iterator[InstagramStandin]:
    with InstagramStandin(latency_ms=0) as standin:
        yield standin


@pytest.fixture
def command(tmp_path: Path, database_variables: Mapping[str, str], instagram: InstagramStandin) -> Command:
    cookies = [{"name": name, "value": value, "domain": ".instagram.com"} for name, value in SESSION.items()]
    foreign = {"name": "other", "value": "x", "domain": ".example.com"}
    (tmp_path / "cookies.json").write_text(json.dumps([*cookies, foreign]))
    (tmp_path / "few.json").write_text(json.dumps([*cookies[:1], foreign]))
    (tmp_path / "session").write_bytes(pickle.dumps(SESSION))
    (tmp_path / "evil").write_bytes(pickle.dumps({**SESSION, "x": print}))
    variables = {
        **database_variables,
        "INSTAGRAM_BASE_URL": instagram.url,
        "INSTAGRAM_SESSION_KEYS": KEY,
    }
    return Command(tmp_path, variables)


def rows(database: ClonedDatabase, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query).fetchall()


def test_an_account_is_added_listed_disabled_and_enabled_without_showing_a_secret(
    command: Command, assets_db: ClonedDatabase
) -> None:
    assert command("instagram", "pool", "list").out.startswith("The pool has no account")
    said = [command("instagram", "pool", "add", "@Our_One", "--cookies", "cookies.json")]
    said += [
        command(
            "instagram",
            "pool",
            "add",
            "our_two",
            "--instaloader-session",
            "session",
            "--route",
            "p-1",
            "--proxy",
            PROXY,
        )
    ]
    said += [command("instagram", "pool", "disable", "our_two"), command("instagram", "pool", "list")]
    assert [one.code for one in said] == [0] * 4, [one.said for one in said]
    assert "'our_two' has the session of the file and uses the route 'p-1'." in said[1].out
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in said[3].out.splitlines()
        if "our_" in line
    ]
    assert cells == [
        ["our_one", "active", "direct", "–", "–", "no"],
        ["our_two", "disabled", "p-1", "–", "–", "no"],
    ]
    assert not [one.said for one in said if "s3cret" in one.said]
    stored = rows(assets_db, "select session_secret from instagram_pool_accounts")
    assert [SessionSecrets(KEY).open_cookies(secret) for (secret,) in stored] == [SESSION, SESSION]
    (sealed_proxy,) = rows(assets_db, "select proxy_secret from instagram_routes where name = 'p-1'")[0]
    assert SessionSecrets(KEY).open(sealed_proxy) == PROXY
    assert "s3cret" not in repr(stored) + sealed_proxy
    assert command("instagram", "pool", "enable", "our_two").out == "'our_two' is in use.\n"


def test_a_test_looks_once_and_says_how_it_ended(
    command: Command, assets_db: ClonedDatabase, instagram: InstagramStandin
) -> None:
    assert command("instagram", "pool", "add", "our_one", "--cookies", "cookies.json").code == 0
    write_settings(assets_db, instagram_terms_acknowledged=False)
    assert "Instagram's terms forbid" in command("instagram", "pool", "test", "our_one").failure
    with assets_db.connection() as connection:
        connection.execute("update pipeline_settings set is_enabled = false where platform = 'instagram'")
    assert "is switched off for every pipeline" in command("instagram", "pool", "test", "our_one").failure
    assert instagram.requests["total"] == 0
    write_settings(assets_db, instagram_terms_acknowledged=True)
    tested = command("instagram", "pool", "test", "our_one")
    assert tested.code == 0, tested.said
    assert "'instagram' was found by session:our_one@direct: the route works." in tested.out
    assert instagram.requests["by_subject"] == {"instagram": 1}
    log = rows(
        assets_db, "select account_key, route, domain, operation, target, outcome from instagram_request_log"
    )
    assert log == [("session:our_one", "direct", "operator", "profile", "instagram", "ok")]
    assert command("instagram", "pool", "disable", "our_one").code == 0
    assert command("instagram", "pool", "test", "our_one").failure.startswith(
        "Nothing was sent. 'our_one' is disabled"
    )
    assert "'nobody' is not in the pool" in command("instagram", "pool", "test", "nobody").failure
    assert len(rows(assets_db, "select 1 from instagram_request_log")) == 1


def test_a_test_through_a_dead_proxy_says_so_and_a_full_window_sends_nothing(
    command: Command, assets_db: ClonedDatabase
) -> None:
    write_settings(assets_db, instagram_terms_acknowledged=True)
    added = command(
        "instagram", "pool", "add", "our_one", "--cookies", "cookies.json", "--route", "p-1", "--proxy", PROXY
    )
    assert added.code == 0, added.said
    failed = command("instagram", "pool", "test", "our_one", INSTAGRAM_BASE_URL="")
    assert "no answer came: check the route's proxy (transport" in failed.failure
    assert failed.failure.endswith("'our_one' is in use.")
    assert "s3cret" not in failed.said
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_request_log (account_key, route, host, requested_at)"
            " select 'session:our_one', 'p-1', 'www.instagram.com', now() from generate_series(1, 30)"
        )
    assert command("instagram", "pool", "test", "our_one").failure.startswith(
        "Nothing was sent: The request windows of session:our_one@p-1 are full. Next try: "
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["our_one"], "Name the file with the session: either --cookies FILE or --instaloader-session FILE."),
        (["our_one", "--cookies", "a", "--instaloader-session", "b"], "Name the file with the session"),
        (["explore", "--cookies", "cookies.json"], "'explore' is not an Instagram username."),
        (["our_one", "--cookies", "none.json"], "none.json can't be read (No such file or directory)."),
        (["our_one", "--cookies", "."], "can't be read (Is a directory)."),
        (["our_one", "--cookies", "few.json"], "The file has no valid cookie ds_user_id, sessionid of"),
        (["our_one", "--cookies", "session"], "The file is not a cookie export"),
        (["our_one", "--instaloader-session", "cookies.json"], "The file is not a plain Instaloader session"),
        (["our_one", "--instaloader-session", "evil"], "such a file could run code"),
        (["our_one", "--cookies", "cookies.json", "--route", "p-9"], "There is no route 'p-9' yet"),
        (["our_one", "--cookies", "cookies.json", "--route", "P 9"], "'P 9' can't name a route"),
        (["our_one", "--cookies", "cookies.json", "--proxy", PROXY], "Name the proxy's route with --route"),
        (
            ["our_one", "--cookies", "cookies.json", "--route", "p-9", "--proxy", "socks5://u:s3cret@h:1"],
            "The proxy's address must look like",
        ),
    ],
)
def test_an_account_that_can_not_be_added_changes_nothing_and_the_reason_is_given(
    command: Command, assets_db: ClonedDatabase, arguments: list[str], sentence: str
) -> None:
    ended = command("instagram", "pool", "add", *arguments)
    assert sentence in ended.failure
    assert "s3cret" not in ended.said
    assert rows(assets_db, "select username from instagram_pool_accounts") == []
    assert rows(assets_db, "select name from instagram_routes") == [("direct",)]


@pytest.mark.parametrize(
    ("keys", "sentence"), [("", "INSTAGRAM_SESSION_KEYS is not set"), ("x", "malformed key")]
)
def test_without_a_usable_key_nothing_is_stored(
    command: Command, assets_db: ClonedDatabase, keys: str, sentence: str
) -> None:
    ended = command(
        "instagram", "pool", "add", "our_one", "--cookies", "cookies.json", INSTAGRAM_SESSION_KEYS=keys
    )
    assert sentence in ended.failure
    assert rows(assets_db, "select username from instagram_pool_accounts") == []


def test_the_former_name_of_the_command_still_works_and_is_not_listed(command: Command) -> None:
    assert command("pool", "list").out == command("instagram", "pool", "list").out
    listed = [
        line.split()[0]
        for line in command("--help").out.splitlines()
        if line.startswith("  ") and line.split()
    ]
    assert "instagram" in listed
    assert "pool" not in listed


def test_a_route_that_rests_is_listed_even_without_an_account(
    command: Command, assets_db: ClonedDatabase
) -> None:
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_routes (name, cooling_until, last_outcome) "
            "values ('direct', now() + interval '1 hour', 'wall') on conflict (name) do update "
            "set cooling_until = excluded.cooling_until, last_outcome = excluded.last_outcome"
        )
    shown = command("instagram", "pool", "list").out
    assert "direct" in shown
    assert "rests" in shown
    assert "wall" in shown


def test_an_account_is_removed_with_its_session_unless_it_is_in_use(
    command: Command, assets_db: ClonedDatabase
) -> None:
    assert command("instagram", "pool", "add", "ours.one", "--cookies", "cookies.json").code == 0
    assert command("instagram", "pool", "remove", "ours.one").failure.startswith("Nothing was done")
    with assets_db.connection() as connection:
        connection.execute(
            "update instagram_pool_accounts set lease_expires_at = now() + interval '1 minute'"
        )
    assert "is in use until" in command("instagram", "pool", "remove", "ours.one", "--yes").failure
    with assets_db.connection() as connection:
        connection.execute(
            "update instagram_pool_accounts set lease_expires_at = now() - interval '1 minute'"
        )
    assert "was removed" in command("instagram", "pool", "remove", "ours.one", "--yes").out
    with assets_db.connection() as connection:
        assert connection.execute("select count(*) from instagram_pool_accounts").fetchone() == (0,)
    assert "is not in the pool" in command("instagram", "pool", "remove", "ours.one", "--yes").failure
