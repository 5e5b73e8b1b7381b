"""The verbs of `entity-pipeline influencers` on real databases."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entity_pipeline.core.audit import COMMAND_ACTOR
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import Failure
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.commands.conftest import Run, failure_of
from entity_pipeline_tests.domains.influencers.erasure.people import (
    MARKS,
    NAME,
    OWN_KEYS,
    PK,
    add_person,
    add_traces,
    traces,
)

Connection = psycopg.Connection[Any]


def one(connection: Connection, statement: str) -> Any:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


# scrape, discover


def test_scrape_takes_names_in_any_spelling_and_says_what_became_of_each(
    run: Run, assets: Connection
) -> None:
    ask_for_blogs(assets, ["bea"])
    result = run("scrape", "@Ada", "https://www.instagram.com/bea/", "ada", "no name", "--priority", "2")
    assert result.exception is None
    assert "1 task is made." in result.output
    assert "1 task is pending or running already." in result.output
    assert "Not a username: 'no name' (bad_character)." in result.output
    assert "Tasks wait: " in result.output, "the domain is off"
    assert one(assets, "select priority from scrape_tasks order by id desc limit 1") == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_scrape_reads_a_file_with_more_names_than_one_request_takes(
    run: Run, assets: Connection, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "names.txt"
    file.write_text("\n".join(f"name{n}" for n in range(2_500)) + "\n\n이름\n", encoding=encoding)
    result = run("scrape", "ada", "--file", str(file))
    assert result.exception is None
    assert "2,501 tasks are made." in result.output
    assert "Not a username: '이름'" in result.output
    assert one(assets, "select count(*) from scrape_tasks") == 2_501


def test_scrape_without_a_name_or_with_none_that_is_one_says_what_to_write(run: Run, tmp_path: Path) -> None:
    assert "--file FILE" in failure_of(run("scrape"))
    assert "None of these is an Instagram username" in failure_of(run("scrape", "no name"))
    assert "can't be read" in failure_of(run("scrape", "--file", str(tmp_path / "none")))


def test_discover_takes_hashtags_and_refuses_what_is_none(run: Run, assets: Connection) -> None:
    result = run("discover", "#OOTD", "서울")
    assert result.exception is None
    assert "#ootd: task 1 was made." in result.output
    again = run("discover", "ootd", "two words")
    assert "#ootd: task 1 is pending or running already." in again.output
    assert "Not a hashtag: 'two words'" in failure_of(again)
    assert one(assets, "select count(*) from scrape_tasks") == 2


# tasks, show, status


def test_tasks_are_shown_by_state_and_type(run: Run, assets: Connection) -> None:
    ask_for_blogs(assets, ["ada"])
    [task] = STORE.claim(assets, "a run", 1)
    STORE.finish(assets, task, "private")
    run("discover", "ootd")
    shown = run("tasks").output
    assert "ada" in shown
    assert "private" in shown
    assert "#ootd" in shown
    assert "ada" not in run("tasks", "--status", "pending").output
    assert "ada" not in run("tasks", "--type", "discover").output
    assert run("tasks", "--status", "failed").output == "There is no such task.\n"


def test_a_person_is_shown_without_anything_that_a_terminal_obeys(
    run: Run, assets_db: ClonedDatabase
) -> None:
    add_person(assets_db, NAME, PK, "Trace", keys=OWN_KEYS)
    with assets_db.connection() as connection:
        connection.execute("update blogs set biography = 'a\x1b[31mred [bold]b'")
        connection.execute("update blog_posts set caption_text = 'c\x1b]0;title\x07'")
    shown = run("show", f"@{NAME.upper()}")
    assert shown.exception is None
    assert "\x1b" not in shown.output
    assert "[bold]b" in shown.output
    for text in ("5,000", f" {PK} ", "Food", "Insights:", "TraceCode0", "full_scrape"):
        assert text in shown.output


def test_a_person_who_asks_gets_every_row_as_json(run: Run, assets_db: ClonedDatabase) -> None:
    add_traces(assets_db, add_person(assets_db, NAME, PK, "Trace", keys=OWN_KEYS))
    result = run("show", NAME, "--json")
    assert result.exception is None
    found = json.loads(result.output)
    assert (found["username"], found["platform_id"], found["biography"]) == (NAME, PK, "Trace bio")
    assert found["person"]["full_name"] == "Trace p"
    assert len(found["posts"]) == 3
    assert [one["title"] for one in found["highlights"]] == ["Trace title"]
    assert [one["name"] for one in found["categories"]] == ["Food"]
    assert len(found["tasks"]) == 2
    assert found["insights_meta"] == {"evidence": "Trace"}


def test_show_says_what_to_do_about_a_person_who_is_not_there(run: Run) -> None:
    assert "entity-pipeline influencers scrape ada" in failure_of(run("show", "ada"))
    assert "is not an Instagram username" in failure_of(run("show", "a b"))
    run("erase", "ada", "--yes")
    assert failure_of(run("show", "ada")) == "ada was erased, and nothing is stored."


def test_show_says_why_a_task_waits_and_until_when(run: Run, assets: Connection) -> None:
    ask_for_blogs(assets, ["ada"])
    [task] = STORE.claim(assets, "a run", 1)
    STORE.fail(assets, task, Failure.UNCONFIRMED, "The profile was not found.")
    shown = run("show", "ada").output
    assert f"Task {task.id}: full_scrape, pending. The profile was not found. Next at 20" in shown


def test_status_counts_tasks_and_blogs(
    tmp_path: Path, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with assets_db.connection() as connection:
        ask_for_blogs(connection, ["ada", "bea"])
    command = Command(
        tmp_path, {"ASSETS_DATABASE_URL": assets_db.url, "OPERATION_DATABASE_URL": operation_db.url}
    )
    ended = command("status")
    assert ended.code == 0, ended.said
    _, _, ours = ended.out.partition("influencers")
    assert "full_scrape" in ours
    assert "pending" in ours
    assert "Gemini:" in ours


# export


def test_an_export_has_every_blog_once_and_executes_nothing(
    run: Run, assets_db: ClonedDatabase, tmp_path: Path
) -> None:
    add_person(assets_db, NAME, PK, "=1+1", keys=OWN_KEYS)
    with assets_db.connection() as connection:
        ask_for_blogs(connection, [f"name{n:04d}" for n in range(1_000)])
        ask_for_blogs(connection, [f"name{n:04d}" for n in range(1_000, 2_000)])
    result = run("export", "all.csv")
    assert result.exception is None
    assert "2,001 blogs written to all.csv." in result.output
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_bytes().decode("utf-8-sig"))))
    assert len({row["username"] for row in rows}) == len(rows) == 2_001
    [row] = [row for row in rows if row["username"] == NAME]
    assert row["full_name"] == "'=1+1"
    assert row["categories"] == "food"
    assert json.loads(row["ai_insights"]) == {"notes": "=1+1"}
    for found in rows:
        assert not any(value.startswith(("=", "+", "-", "@")) for value in found.values())


def test_json_lines_hold_values_as_they_are_and_filters_apply(
    run: Run, assets_db: ClonedDatabase, tmp_path: Path
) -> None:
    add_person(assets_db, NAME, PK, "Trace", keys=OWN_KEYS)
    with assets_db.connection() as connection:
        ask_for_blogs(connection, ["ada"])
        connection.execute("update blogs set er = 3.25 where username = %s", [NAME])
    for filters in (["--status", "active"], ["--min-followers", "5000"], ["--category", "Food"]):
        assert run("export", "some.jsonl", *filters).exception is None
        [line] = (tmp_path / "some.jsonl").read_text().splitlines()
        row = json.loads(line)
        assert (row["username"], row["platform_id"], row["er"]) == (NAME, str(PK), 3.25)
        assert row["ai_insights"] == {"notes": "Trace"}
    assert "there is no category 'cars'" in failure_of(run("export", "some.jsonl", "--category", "cars"))


def test_an_export_of_nothing_has_a_header(run: Run, tmp_path: Path) -> None:
    run("export", "none.csv")
    assert (tmp_path / "none.csv").read_bytes().decode("utf-8-sig").startswith("username,address,")
    run("export", "none.jsonl")
    assert (tmp_path / "none.jsonl").read_bytes() == b""


# erase


def test_erase_asks_shows_whom_and_says_what_was_removed(
    run: Run, assets_db: ClonedDatabase, operation: Connection
) -> None:
    with assets_db.connection() as connection:
        add_traces(assets_db, add_person(assets_db, NAME, PK, "Trace", keys=OWN_KEYS))
        connection.execute("update blogs set avatar_key = null")
        connection.execute("update blog_posts set thumbnail_key = null")
    refused = run("erase", NAME)
    assert f"{NAME}, Trace, id {PK}, 5,000 followers, never scraped" in refused.output
    assert "add" in failure_of(refused)
    assert one(operation, "select count(*) from admin_audit_log") == 0
    result = run("erase", f"@{NAME}", "--yes")
    assert result.exception is None, result.exception
    assert (
        "Removed: 1 blog, 3 posts, 1 highlight, 1 category of a blog, 2 tasks, 0 stored pictures."
        in result.output
    )
    assert "the texts of 1 request to Gemini, the targets of 6 requests to Instagram" in result.output
    assert "can't be deleted by anyone" in result.output
    assert traces(assets_db) == []
    row = operation.execute(
        "select admin_user_id, action, target_table, to_jsonb(a)::text from admin_audit_log a"
    ).fetchone()
    assert row is not None
    assert row[:3] == (COMMAND_ACTOR, "influencers.erase", "persons")
    assert not any(mark in row[3] for mark in MARKS)
    again = run("erase", "--id", str(PK), "--yes")
    assert "Nothing is stored about this person." in again.output
    assert "Removed: 0 blogs" in again.output


def test_erase_needs_a_name_or_an_id(run: Run) -> None:
    assert "--id" in failure_of(run("erase"))
    assert "is not an Instagram username" in failure_of(run("erase", "a b"))


def test_pictures_without_a_bucket_hold_the_rest_and_say_what_is_missing(
    run: Run, assets_db: ClonedDatabase
) -> None:
    add_person(assets_db, NAME, PK, "Trace", keys=OWN_KEYS)
    assert "R2_" in failure_of(run("erase", NAME, "--yes"))
    with assets_db.connection() as connection:
        assert one(connection, "select count(*) from blogs") == 1


def test_a_person_who_asks_for_it_is_taken_in_again(run: Run, assets: Connection) -> None:
    run("erase", "ada", "--yes")
    refused = run("scrape", "ada", "bea")
    assert "Erased, and not taken in again: ada." in refused.output
    assert "1 task is made." in refused.output
    assert "1 task is made." in run("scrape", "Ada", "--again").output
    assert one(assets, "select count(*) from erased_people") == 0


# Anything as input


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(verb=st.sampled_from(["scrape", "discover", "show", "erase"]), text=st.text(min_size=1, max_size=80))
def test_no_text_ends_a_verb_with_anything_but_an_answer_or_a_sentence(
    run: Run, verb: str, text: str
) -> None:
    result = run(verb, *(["--yes"] if verb == "erase" else []), "--", text)
    assert result.exception is None or isinstance(result.exception, InputRejected), result.exception
