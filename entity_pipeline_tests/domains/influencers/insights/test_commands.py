"""`influencers insights` and `influencers evaluate` as a person runs them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.insights.insight_cases import (
    SETTINGS,
    World,
    add_blog,
    want_insights,
    world,
)
from entity_pipeline_tests.resources.gemini.batch_cases import figures
from entity_pipeline_tests.settings_rows import put_row

NAMES = ("anna", "boris", "cholpon")


@pytest.fixture
def made(assets_db: ClonedDatabase) -> Iterator[World]:
    with world(assets_db) as found:
        yield found


@pytest.fixture
def command(tmp_path: Path, made: World, operation_db: ClonedDatabase) -> Command:
    with made.database.connection() as connection:
        put_row(connection, InfluencerSettings, SETTINGS.model_dump(mode="json", exclude_unset=True))
        put_row(connection, GeminiSettings, {})
        put_row(connection, InstagramSettings, {"terms_acknowledged": True})
    return Command(
        tmp_path,
        {
            "ASSETS_DATABASE_URL": made.database.url,
            "OPERATION_DATABASE_URL": operation_db.url,
            "GEMINI_BASE_URL": made.standin.url,
            "GEMINI_API_KEY": "any",
        },
    )


def test_a_dry_run_says_what_it_would_cost_and_sends_nothing(command: Command, made: World) -> None:
    for name in NAMES:
        add_blog(made.database, name)
    add_blog(made.database, "empty", posts=0, bio="")
    said = command("influencers", "insights", "--dry-run").out
    assert "4 blogs wait for their insights: 3 would be asked about with 12 pictures" in said
    assert "1 have nothing to describe" in said
    held = float(said.split("At most ")[1].split(" USD")[0])
    assert made.standin.requests["by_status"] == {}
    made.submit()
    most = float(figures(made.database)[0])
    assert most <= held
    made.collect()
    for (blog,) in made.rows("select id from blogs where username <> 'empty'"):
        want_insights(made.database, blog)
    assert (
        "3 blogs wait for their insights: 0 would be asked about with 0 pictures, 3 are unchanged"
        in command("influencers", "insights", "--dry-run").out
    )


def test_insights_runs_the_jobs_of_the_schedules(command: Command, made: World) -> None:
    for name in NAMES:
        add_blog(made.database, name, avatar_url=None)
    made.run_sql("update blog_posts set thumbnail_url = null")
    assert "batches submitted: 1" in command("influencers", "insights").out
    made.standin.batches.bad_days.looks_until_ended = 0
    assert "batches ended: 1" in command("influencers", "insights").out
    assert set(made.tasks().values()) == {("done", None, 1)}
    with made.database.connection() as connection:
        put_row(connection, InfluencerSettings, {}, on=False)
    assert "switched off" in command("influencers", "insights").failure


def test_an_evaluation_shows_shares_with_intervals_and_wrong_evidence(
    command: Command, made: World, tmp_path: Path
) -> None:
    for name in NAMES:
        add_blog(made.database, name)
    made.submit()
    made.collect()
    labels = [
        {
            "username": name,
            "labels": {"lifestyle.has_pets": name != "anna", "lifestyle.pet_types": ["Cat", "dog"]},
            "posts": {"lifestyle.has_pets": ["other" if name == "boris" else f"{name}-0"]},
        }
        for name in (*NAMES, "stranger")
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))
    said = command("influencers", "evaluate", "labels.jsonl").out
    assert "4 labelled blogs, 3 of them with insights." in said
    assert "67% of 3 (21% to 94%)" in said
    assert "50% of 6" in said
    assert "boris: lifestyle.has_pets rests on boris-0" in said
    assert "the figures are simulated" in said
    (tmp_path / "bad.jsonl").write_text('{"username": "x", "labels": {"lifestyle.has_pets": "yes"}}\n{')
    refused = command("influencers", "evaluate", "bad.jsonl")
    assert refused.code != 0
    assert "line 1: the value of lifestyle.has_pets is not possible" in refused.said
    assert "line 2: it is not JSON" in refused.said
