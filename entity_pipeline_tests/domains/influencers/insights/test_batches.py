"""Insights end to end: real PostgreSQL, the real google-genai over sockets, and the stand-in's good and bad days."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.core.failures import ModelUnavailable
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.insights.insight_cases import (
    World,
    add_blog,
    found,
    jpeg,
    want_insights,
    world,
)
from entity_pipeline_tests.resources.gemini.batch_cases import bill, figures, pass_time
from entity_pipeline_tests.resources.gemini.ledger_cases import limit, limited

NAMES = ("anna", "boris", "cholpon")


@pytest.fixture
def made(assets_db: ClonedDatabase) -> Iterator[World]:
    with world(assets_db) as found_world:
        yield found_world


def three(made: World) -> None:
    for name in NAMES:
        add_blog(made.database, name)


def test_three_blogs_are_described_in_one_batch_that_is_paid_once(made: World) -> None:
    three(made)
    run = made.submit()
    assert len(run.batches) == 1
    assert {task[0] for task in made.tasks().values()} == {"running"}
    made.collect()
    assert made.tasks() == dict.fromkeys(NAMES, ("done", None, 1))
    spent, states = figures(made.database)
    assert states == {"settled": 3}
    assert spent == bill(made.standin) > 0
    blog = made.blog("anna")
    assert blog["status"] == "active"
    assert blog["insights"]["lifestyle"] == {
        "has_car": None,
        "car_class": None,
        "travels_frequently": None,
        "travel_style": None,
        "has_pets": True,
        "pet_types": ["cat"],
        "has_real_estate": None,
        "lifestyle_level": None,
    }
    meta = blog["meta"]
    assert meta["evidence"]["lifestyle.has_pets"] == ["anna-0"]
    assert meta["evidence"]["lifestyle.pet_types"] == {"cat": ["anna-0"]}
    assert meta["quotes"] == {"life_situation.has_children": "mom of two"}
    assert {"field": "lifestyle.pet_types", "value": "dragon", "why": "names_no_post"} in meta["dropped"]
    assert meta["model"] == meta["model_version"] == "gemini-3.5-flash-lite"
    assert meta["posts"] == 3
    assert meta["unmatched_topics"] == ["Underwater basketry"]
    assert made.categories("anna") == {"pets": True, "family": False}
    made.collect()
    assert made.submit().batches == []
    assert len(made.standin.batches.display_names) == 1


def test_two_tasks_wait_until_the_oldest_has_waited_two_hours(made: World) -> None:
    add_blog(made.database, "anna")
    add_blog(made.database, "boris")
    assert made.submit().batches == []
    made.run_sql("update scrape_tasks set created_at = created_at - interval '3 hours'")
    assert len(made.submit().batches) == 1


def test_the_same_input_is_not_paid_for_again_and_a_new_caption_is(made: World) -> None:
    three(made)
    made.submit()
    made.collect()
    ids = [row[0] for row in made.rows("select id from blogs order by username")]
    for blog in ids:
        want_insights(made.database, blog)
    made.run_sql("update blogs set follower_count = 9, scrape_status = 'analyzing'")
    made.run_sql("update blog_posts set like_count = 7")
    made.run_sql("update blog_posts set caption_text = 'something else' where code = 'boris-0'")
    made.run_sql(
        "update scrape_tasks set created_at = created_at - interval '3 hours' where status = 'pending'"
    )
    made.submit()
    made.collect()
    assert made.tasks() == {
        "anna": ("done", "unchanged", 1),
        "boris": ("done", None, 1),
        "cholpon": ("done", "unchanged", 1),
    }
    assert made.answers.asked.count("boris") == 2
    assert len(made.standin.batches.billed) == 4
    assert {made.blog(name)["status"] for name in NAMES} == {"active"}


def test_insights_that_are_off_end_the_tasks_and_pay_nothing(made: World) -> None:
    three(made)
    made.settings = made.settings.model_copy(update={"insights_enabled": False})
    made.submit()
    assert made.tasks() == dict.fromkeys(NAMES, ("done", "insights_disabled", 1))
    assert {made.blog(name)["status"] for name in NAMES} == {"active"}
    assert made.standin.requests["by_status"] == {}


def test_a_blog_without_words_and_posts_is_not_asked_about(made: World) -> None:
    three(made)
    add_blog(made.database, "empty", posts=0, bio=" ")
    made.submit()
    assert made.tasks()["empty"] == ("done", "nothing_to_describe", 1)
    assert made.blog("empty")["status"] == "active"
    made.collect()
    assert "empty" not in made.answers.asked


def test_pictures_are_stored_small_once_and_sent(made: World) -> None:
    three(made)
    made.pictures = {
        "https://a.cdninstagram.com/anna.jpg?sig=1": found(jpeg("red")),
        "https://p.cdninstagram.com/anna/0.jpg?sig=1": found(jpeg("blue")),
        "https://p.cdninstagram.com/anna/1.jpg?sig=1": found(b"not a picture"),
    }
    run = made.submit()
    assert run.pictures.outcomes["stored"] == 2
    assert len(made.store.objects) == 2
    assert all(key.startswith("influencers/pictures/") for key in made.store.objects)
    [(avatar, name)] = made.rows(
        "select avatar_key, insights_meta ->> 'avatar_name' from blogs where username = 'anna'"
    )
    assert avatar in made.store.objects
    assert name == "/anna.jpg"
    keys = dict(made.rows("select code, thumbnail_key from blog_posts where code like 'anna%'"))
    assert keys["anna-0"] in made.store.objects
    assert keys["anna-1"] is None
    made.collect()
    assert made.blog("anna")["meta"]["pictures"] == 2
    assert made.blog("anna")["meta"]["avatar_name"] == "/anna.jpg"
    assert made.blog("boris")["meta"]["pictures"] == 0
    [anna] = made.rows("select id from blogs where username = 'anna'")
    want_insights(made.database, anna[0])
    again = made.submission()
    again._keep_pictures()
    assert again.pictures.outcomes == {}


@pytest.mark.parametrize(
    ("bad", "finished"),
    [
        ("half_missing", 2),
        ("doubled", 1),
        ("foreign", 3),
        ("broken_lines", 3),
        ("separators", 3),
        ("inline", 3),
        ("gone", 0),
        ("errors", 2),
    ],
)
def test_what_has_no_readable_result_is_asked_again_later_and_nothing_else_is(
    made: World, bad: str, finished: int
) -> None:
    three(made)
    made.standin.batches.bad_days.results = {bad}
    made.submit()
    made.collect()
    states = [task[0] for task in made.tasks().values()]
    assert states.count("done") == finished
    assert states.count("pending") == 3 - finished
    assert {made.blog(name)["status"] for name, task in made.tasks().items() if task[0] == "pending"} <= {
        "analyzing"
    }
    made.standin.batches.bad_days.results = set()
    made.due_now()
    made.submit()
    made.collect()
    assert {task[:2] for task in made.tasks().values()} == {("done", None)}
    assert len(made.standin.batches.display_names) == (1 if finished == 3 else 2)
    spent, _ = figures(made.database)
    assert spent >= bill(made.standin)


@pytest.mark.parametrize("state", ["EXPIRED", "CANCELLED", "FAILED"])
def test_a_batch_without_results_is_followed_by_another(made: World, state: str) -> None:
    three(made)
    made.standin.batches.bad_days.ends_as = state
    made.submit()
    made.collect()
    assert {task[0] for task in made.tasks().values()} == {"pending"}
    made.standin.batches.bad_days.ends_as = "SUCCEEDED"
    made.due_now()
    made.submit()
    made.collect()
    assert set(made.tasks().values()) == {("done", None, 2)}


def test_a_batch_that_never_ends_is_cancelled_after_26_hours_and_only_then_asked_again(made: World) -> None:
    three(made)
    made.standin.batches.bad_days.looks_until_ended = 1_000
    made.submit()
    assert made.collect(1, cancel_overdue=True).cancelled == []
    pass_time(made.database, "27 hours")
    made.submit()
    stale = made.collect(1, cancel_overdue=True)
    assert len(stale.cancelled) == 1
    assert stale.waits[0].is_overdue
    assert {task[0] for task in made.tasks().values()} == {"running"}
    assert made.submit().batches == []
    made.collect(1)
    assert {task[0] for task in made.tasks().values()} == {"pending"}
    made.standin.batches.bad_days.looks_until_ended = 1
    made.due_now()
    made.submit()
    made.collect()
    assert {task[:2] for task in made.tasks().values()} == {("done", None)}
    assert len(made.standin.batches.display_names) == 2


@pytest.mark.parametrize("how", ["safety", "prompt_blocked", "prohibited_content"])
def test_a_refusal_leaves_the_blog_active_without_insights(made: World, how: str) -> None:
    three(made)
    made.answers.odd["anna"] = how
    made.submit()
    made.collect()
    assert made.tasks()["anna"] == ("done", "refused", 1)
    blog = made.blog("anna")
    assert (blog["status"], blog["insights"]) == ("active", None)
    assert blog["meta"]["last"]["outcome"] == "refused"
    assert made.tasks()["boris"] == ("done", None, 1)
    [anna] = made.rows("select id from blogs where username = 'anna'")
    want_insights(made.database, anna[0])
    made.due_now()
    made.submit()
    assert made.tasks()["anna"] == ("done", "unchanged", 1)


@pytest.mark.parametrize("text", ["{", "no json", '{"subject": "x"}', "[]", ""])
def test_an_unreadable_answer_is_asked_for_once_more_and_then_fails(made: World, text: str) -> None:
    three(made)
    made.answers.texts["anna"] = [text, text]
    made.submit()
    made.collect()
    assert made.tasks()["anna"][0] == "pending"
    assert made.blog("anna")["status"] == "analyzing"
    made.due_now()
    made.submit()
    made.collect()
    assert made.tasks()["anna"] == ("failed", "unreadable_answer", 2)
    blog = made.blog("anna")
    assert (blog["status"], blog["insights"], blog["meta"]["last"]["outcome"]) == (
        "active",
        None,
        "unreadable",
    )
    assert made.answers.asked.count("anna") == 2
    [anna] = made.rows("select id from blogs where username = 'anna'")
    want_insights(made.database, anna[0])
    made.due_now()
    made.submit()
    made.collect()
    assert made.tasks()["anna"] == ("done", None, 1), (
        "a later task asks anew and does not replay the bad answer"
    )
    assert made.answers.asked.count("anna") == 3


def test_an_answer_about_another_account_is_never_stored(made: World) -> None:
    three(made)
    [boris] = made.rows("select id::text from blogs where username = 'boris'")
    from entity_pipeline_tests.domains.influencers.insights.insight_cases import description

    made.answers.texts["anna"] = [json.dumps(description({"key": boris[0], "posts": []}))]
    made.submit()
    made.collect()
    assert made.tasks()["anna"][0] == "pending"
    assert made.blog("anna")["meta"]["last"]["detail"] == "The answer is about another account."


def test_a_limit_puts_the_tasks_off_without_an_attempt(made: World) -> None:
    three(made)
    limit(made.database, limited(daily_spend_usd=0.0))
    run = made.submit()
    assert run.held_because
    assert made.tasks() == dict.fromkeys(NAMES, ("pending", None, 0))
    assert made.standin.batches.display_names == []
    [(soonest,)] = made.rows("select min(due_at) from scrape_tasks")
    assert soonest > datetime.now(UTC)


def test_a_limit_in_the_middle_submits_what_fits_and_puts_off_the_rest(made: World) -> None:
    three(made)
    made.submit()
    one = figures(made.database)[0] / 3
    made.run_sql("delete from gemini_usage_events; delete from gemini_batches")
    made.run_sql("update scrape_tasks set status = 'pending', batch_key = null, attempts = 0")
    limit(made.database, limited(daily_spend_usd=float(one) * 2.5))
    made.submit()
    assert sorted(task[0] for task in made.tasks().values()) == ["pending", "running", "running"]


def test_a_wrong_key_ends_the_run_and_gives_the_tasks_back(made: World) -> None:
    three(made)
    good = made.gemini
    made.gemini = good.model_copy(update={"api_key": "invalid"})
    with pytest.raises(ModelUnavailable):
        made.submit()
    assert made.tasks() == dict.fromkeys(NAMES, ("pending", None, 0))
    made.gemini = good
    made.submit()
    made.collect()
    assert {task[:2] for task in made.tasks().values()} == {("done", None)}


def test_replies_of_another_model_wait_for_a_person(made: World) -> None:
    three(made)
    made.standin.successors["gemini-3.5-flash-lite"] = "gemini-2.5-flash-lite"
    made.submit()
    made.collect()
    assert {task[0] for task in made.tasks().values()} == {"running"}
    limit(made.database, limited(accept_models=["gemini-2.5-flash-lite"]))
    made.collect(1)
    assert {task[:2] for task in made.tasks().values()} == {("done", None)}
    assert made.blog("anna")["meta"]["model_version"] == "gemini-2.5-flash-lite"
    assert len(made.standin.batches.billed) == 3


def test_when_a_person_chooses_another_model_the_waiting_tasks_are_asked_of_it(made: World) -> None:
    three(made)
    made.standin.successors["gemini-3.5-flash-lite"] = "gemini-2.5-flash-lite"
    made.submit()
    made.collect()
    made.settings = made.settings.model_copy(update={"insights_model": "gemini-2.5-flash-lite"})
    made.collect(1)
    assert {task[0] for task in made.tasks().values()} == {"pending"}
    made.submit()
    made.collect()
    assert {task[:2] for task in made.tasks().values()} == {("done", None)}


def test_a_blog_that_is_removed_meanwhile_leaves_no_text_in_the_ledger(made: World) -> None:
    three(made)
    limit(made.database, limited(keep_requests="full"))
    made.submit()
    made.run_sql("delete from blogs where username = 'anna'")
    made.collect()
    texts = made.rows("select count(*) from gemini_usage_events where reply is not null")
    assert texts == [(2,)]
    assert made.rows("select count(*) from gemini_usage_events where request ? 'parts'") == [(2,)]


def test_a_blog_that_became_private_meanwhile_stays_private(made: World) -> None:
    three(made)
    made.submit()
    made.run_sql("update blogs set scrape_status = 'private' where username = 'anna'")
    made.collect()
    assert made.blog("anna")["status"] == "private"
    assert made.blog("anna")["insights"] is not None


def test_two_submitters_and_two_collectors_at_once_pay_and_store_once(made: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for nth in range(12):
        add_blog(made.database, f"blog{nth}")
    runs = [made.submission(run_id=f"run-{nth}") for nth in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda run: run.run(), runs))
    made.standin.batches.bad_days.looks_until_ended = 0
    looks = [made.collection(run_id=f"look-{nth}") for nth in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda run: run.run(), looks))
    made.collect(1)
    assert set(made.tasks().values()) == {("done", None, 1)}
    assert len(made.standin.batches.billed) == 12
    assert figures(made.database)[0] == bill(made.standin)


def test_a_task_whose_worker_was_lost_for_good_leaves_its_blog_active(made: World) -> None:
    three(made)
    made.run_sql(
        "update scrape_tasks set status = 'failed', completed_at = now(), outcome = 'worker_lost' "
        "where blog_id = (select id from blogs where username = 'anna')"
    )
    made.collect(1)
    assert made.blog("anna")["status"] == "active"
    assert made.blog("boris")["status"] == "analyzing"


def test_old_insights_go_with_their_categories_and_texts(made: World) -> None:
    from entity_pipeline.domains.influencers.insights.retention import remove_old

    three(made)
    made.submit()
    made.collect()
    made.run_sql("update blogs set ai_analyzed_at = now() - interval '400 days' where username = 'anna'")
    made.run_sql(
        "update gemini_usage_events set created_at = now() - interval '400 days' "
        "where subject = (select id::text from blogs where username = 'anna')"
    )
    removed = remove_old(made.database, made.settings)
    assert (removed.blogs, removed.requests) == (1, 1)
    blog = made.blog("anna")
    assert (blog["insights"], blog["confidence"], blog["analyzed"], blog["meta"]) == (None, None, None, {})
    assert made.categories("anna") == {}
    assert made.blog("boris")["insights"] is not None
    spent, _ = figures(made.database)
    assert spent == bill(made.standin)
    later = remove_old(made.database, made.settings, datetime.now(UTC) + timedelta(days=366))
    assert (later.blogs, later.requests) == (2, 2)


def test_a_new_alias_gives_categories_again_without_a_question(made: World) -> None:
    from entity_pipeline.domains.influencers.insights.matching import match_again

    three(made)
    made.submit()
    made.collect()
    assert match_again(made.database).changed == 0
    made.run_sql(
        "update categories set aliases = aliases || '{underwater-basketry}'::text[] where code = 'art'"
    )
    again = match_again(made.database)
    assert (again.blogs, again.changed, again.unmatched) == (3, 3, {})
    assert made.categories("anna") == {"pets": True, "family": False, "art": False}
    assert made.blog("anna")["meta"]["unmatched_topics"] == []
    before: Any = made.rows("select xmin::text from blogs order by id")
    assert match_again(made.database).changed == 0
    assert made.rows("select xmin::text from blogs order by id") == before
    assert len(made.standin.batches.billed) == 3
