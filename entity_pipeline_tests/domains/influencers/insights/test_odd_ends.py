"""Rare ends of batches and tasks: a fake answers as the test says."""

from typing import Any

import pytest

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.gemini.batch import BatchOutcome
from entity_pipeline.core.gemini.outcomes import NotAnswered, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.domains.influencers.insights.submission import Submission
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.insights.insight_cases import (
    World,
    add_blog,
    found,
    jpeg,
    reply,
    with_fake,
    world,
)
from entity_pipeline_tests.domains.influencers.insights.test_runs import text_about
from entity_pipeline_tests.fakes.gemini_batches import FakeGeminiBatches
from entity_pipeline_tests.resources.gemini.batch_cases import bill, figures

NAMES = ("anna", "boris", "cholpon")


def why(reason: Unanswered) -> NotAnswered:
    return NotAnswered(reason, because("no_reply", message="x"))


def made_of(database: ClonedDatabase, anna: list[Any], **more: Any) -> World:
    """Three blogs; the fake answers about anna as given, and about the others well."""
    ids = {name: str(add_blog(database, name)) for name in NAMES}
    outcomes = {key: [reply(text_about(key, name))] * 5 for name, key in ids.items()}
    outcomes[ids["anna"]] = [reply(text_about(ids["anna"], "anna")) if one == "good" else one for one in anna]
    return with_fake(database, FakeGeminiBatches(outcomes, **more))


def submit_and_die(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a batch about all of `NAMES`, and end before its tasks note it."""
    for name in NAMES:
        add_blog(made.database, name)
    with monkeypatch.context() as patched:
        patched.setattr(Submission, "_wait", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            made.submit()


def again(made: World) -> None:
    made.due_now()
    made.submit()
    made.collect()


def test_a_refused_question_is_asked_again_without_its_pictures(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, [why(Unanswered.REFUSED), "good"])
    made.pictures = {"https://a.cdninstagram.com/anna.jpg?sig=1": found(jpeg())}
    again(made)
    assert made.tasks()["anna"][0] == "pending"
    again(made)
    assert made.tasks()["anna"] == ("done", None, 2)
    [first, second] = [
        call.request.pictures
        for batch in made.gemini.submitted
        for call in batch
        if "anna-0" in call.request.text
    ]
    assert (len(first), len(second)) == (1, 0)
    assert made.blog("anna")["meta"]["pictures"] == 0


@pytest.mark.parametrize("end", [None, why(Unanswered.NO_REPLY), why(Unanswered.OVERLOADED)])
def test_a_task_without_an_answer_fails_at_the_fourth_attempt_and_its_blog_is_active(
    assets_db: ClonedDatabase, end: Any
) -> None:
    made = made_of(assets_db, [end] * 4)
    for attempt in range(1, 5):
        assert made.blog("anna")["status"] == "analyzing"
        again(made)
        assert made.tasks()["anna"][2] == attempt
    assert made.tasks()["anna"] == ("failed", "error", 4)
    assert made.blog("anna")["status"] == "active"


def test_a_batch_that_was_never_sent_costs_no_attempt(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, [why(Unanswered.UNREACHABLE), "good"])
    again(made)
    assert made.tasks()["anna"] == ("pending", None, 0)
    again(made)
    assert made.tasks()["anna"] == ("done", None, 1)


@pytest.mark.parametrize("reason", [Unanswered.SPEND_REACHED, Unanswered.CLOSED, Unanswered.OVERLOADED])
def test_a_refused_submission_costs_no_attempt(assets_db: ClonedDatabase, reason: Unanswered) -> None:
    made = made_of(assets_db, ["good"], refuses=[why(reason)])
    again(made)
    assert set(made.tasks().values()) == {("pending", None, 0)}
    again(made)
    assert set(made.tasks().values()) == {("done", None, 1)}


def test_what_a_limit_leaves_out_waits_and_the_rest_goes(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, [])
    [anna] = made.rows("select id::text from blogs where username = 'anna'")
    made.gemini._left_out = {anna[0]: why(Unanswered.SPEND_REACHED)}
    run = made.submit()
    assert run.held_because
    made.collect()
    assert made.tasks() == {
        "anna": ("pending", None, 0),
        "boris": ("done", None, 1),
        "cholpon": ("done", None, 1),
    }


def test_a_submission_that_breaks_gives_the_tasks_back(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, ["good"], refuses=[RuntimeError("broken")])
    with pytest.raises(RuntimeError, match="broken"):
        made.submit()
    assert set(made.tasks().values()) == {("pending", None, 0)}
    again(made)
    assert set(made.tasks().values()) == {("done", None, 1)}


def test_a_bucket_that_is_away_holds_the_questions_back(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, ["good"])
    made.pictures = {"https://a.cdninstagram.com/anna.jpg?sig=1": found(jpeg())}
    made.submission()._keep_pictures()

    class Away:
        def get(self, key: str) -> bytes:
            raise TransientFailure("The bucket is away.")

    run = made.submit(store=Away())
    assert run.held_because == "The bucket is away."
    assert set(made.tasks().values()) == {("pending", None, 0)}
    assert made.gemini.submitted == []


def test_a_batch_that_the_ledger_does_not_know_any_more_is_not_waited_for(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, ["good"])
    made.submit()
    made.run_sql("update scrape_tasks set batch_key = 'pruned'")
    made.collect()
    assert {task[0] for task in made.tasks().values()} == {"pending"}
    again(made)
    assert {task[:2] for task in made.tasks().values()} == {("done", None)}
    assert len(made.gemini.submitted) == 1, "the answers of the batch were replayed"


def test_a_batch_that_expired_is_followed_by_another(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, ["good"], ends_as=BatchOutcome.EXPIRED)
    again(made)
    assert set(made.tasks().values()) == {("pending", None, 1)}


def test_the_answers_of_a_batch_that_no_task_noted_are_replayed(
    assets_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(assets_db) as made:
        submit_and_die(made, monkeypatch)
        assert set(made.tasks().values()) == {("pending", None, 0)}
        made.collect()
        assert {task[0] for task in made.tasks().values()} == {"pending"}, "collected, and not yet used"
        made.due_now()
        assert made.submit().batches == []
        assert set(made.tasks().values()) == {("done", None, 1)}
        assert len(made.standin.batches.display_names) == 1
        assert figures(made.database)[0] == bill(made.standin)


def test_a_new_caption_meanwhile_does_not_pay_twice_for_an_orphan(
    assets_db: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(assets_db) as made:
        submit_and_die(made, monkeypatch)
        made.run_sql("update blog_posts set caption_text = 'new' where code = 'anna-0'")
        made.due_now()
        made.submit()
        assert made.tasks()["anna"] == ("pending", None, 0), "its question is in the open batch"
        made.collect()
        made.due_now()
        made.submit()
        made.collect()
        assert set(made.tasks().values()) == {("done", None, 1)}
        assert len(made.standin.batches.billed) == 3
        meta = made.blog("anna")["meta"]
        assert meta["prompt_version"] is None, "the reply is to the question before"
        assert meta["evidence"]["lifestyle.has_pets"] == ["anna-0"]


def test_a_worker_that_lost_its_tasks_writes_nothing(assets_db: ClonedDatabase) -> None:
    made = made_of(assets_db, ["good"])
    late = made.submission()
    tasks = late._claimed(10)
    made.run_sql("update scrape_tasks set lease_until = now() - interval '1 second'")
    with assets_db.connection() as connection:
        STORE.recover(connection)
    again(made)
    before = made.rows("select xmin::text, status from scrape_tasks order by id")
    for task in tasks:
        late.writer.fail(task, "late")
        late.writer.take(task, why(Unanswered.SPEND_REACHED), was_sent=False)
    assert made.rows("select xmin::text, status from scrape_tasks order by id") == before
    assert late.writer.outcomes == {"held_by_another": 6}
