import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.core.failures import DatabaseUnavailable, ModelUnavailable
from entity_pipeline.core.gemini.ledger import replaced_reason
from entity_pipeline.core.gemini.outcomes import STOPS_THE_RUN, NotAnswered, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.domains.entities.reviews.review import Reviewer
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.shared.runs.workers import Done, Elsewhere, Result, Stopped
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.review_bodies import (
    broken_body,
    grounded_body,
    refused_body,
    what_is_said,
)
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import body_of, fenced
from entity_pipeline_tests.fakes.database import FlakyDatabase
from entity_pipeline_tests.fakes.gemini import FakeGemini, Outcome, Replayed, event_id
from entity_pipeline_tests.standins import GeminiStandin

HANDLE = "gentlemonster"
WHY = because("no_answer")
SOON = datetime(2099, 1, 1, 8, tzinfo=UTC)
FIRST_EVENT, SECOND_EVENT = event_id(HANDLE, 1), event_id(HANDLE, 2)


def add(
    database: ClonedDatabase,
    username: str = HANDLE,
    review: Any = None,
    sample_posts: Sequence[Any] = (),
    **columns: Any,
) -> UUID:
    section = {"cohort": "2026-03-02", "tagging": {"posts": 7, "sample_posts": list(sample_posts)}}
    metadata = {
        "note": "a person's",
        "entity_enrichment": section | ({"gemini_review": review} if review else {}),
    }
    with database.connection() as connection:
        row = connection.execute(
            "insert into instagram_accounts (username, metadata, bio, brand_id, entity_ig_role) "
            "values (%s, %s, %s, %s, %s) returning id",
            [
                username,
                Jsonb(metadata),
                columns.get("bio"),
                columns.get("brand_id"),
                columns.get("brand_id") and "primary",
            ],
        ).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def review_of(database: ClonedDatabase, account_id: UUID) -> dict[str, Any]:
    with database.connection() as connection:
        row = connection.execute(
            "select metadata -> 'entity_enrichment' -> 'gemini_review' from instagram_accounts where id = %s",
            [account_id],
        ).fetchone()
    assert row is not None
    return row[0] or {}


class OneReviewer:
    """Reviews under the default settings."""

    def __init__(self, reviewer: Reviewer) -> None:
        self._reviewer = reviewer

    def review(self, account_id: UUID) -> Result:
        return self._reviewer.review(account_id, EntitySettings())

    def wants(self, account_id: UUID) -> bool:
        return self._reviewer.wants(account_id)


def reviewer(
    database: Any,
    gemini: Any,
    *,
    refresh: str = "none",
    run_id: str = "run-1",
    stop: Event | None = None,
    assets_db: Any = None,
) -> OneReviewer:
    return OneReviewer(
        Reviewer(
            assets_db=assets_db,  # not opened for an account without sample posts
            operation_db=database,
            gemini=gemini,
            run_id=run_id,
            refresh=refresh,
            stop=stop or Event(),
            deadline=datetime.now(UTC) + timedelta(minutes=1),
        )
    )


def asking(*outcomes: Outcome | Replayed) -> FakeGemini:
    return FakeGemini({HANDLE: outcomes})


def kinds(gemini: FakeGemini) -> list[str]:
    return [call.claim.kind for call in gemini.asked]


def test_a_review_is_asked_for_once_and_written_with_its_evidence(operation_db: ClonedDatabase) -> None:
    account, gemini = add(operation_db, bio="안경"), asking(grounded_body(HANDLE))
    done = reviewer(operation_db, gemini).review(account)
    assert done == Done("reviewed")
    record = review_of(operation_db, account)
    assert record["status"] == "reviewed"
    assert record["review"]["name_ko"] == "젠틀몬스터"
    assert (record["grounded"], record["chunks"], record["attempts"]) == (True, 1, 1)
    assert [item["uri"] for item in record["evidence"]] == ["https://source.example/1"]
    assert record["usage_event_id"] == str(FIRST_EVENT)
    assert record["input_hash"] == gemini.asked[0].input_hash
    assert record["run_id"] == "run-1"
    assert gemini.asked[0].request.grounded
    assert '"username": "gentlemonster"' in gemini.prompts[0].text
    assert "안경" in gemini.prompts[0].text
    assert '"tagged_in_posts": 7' in gemini.prompts[0].text


def test_a_review_without_search_results_is_kept_and_says_so(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    done = reviewer(operation_db, asking(body_of(fenced()))).review(account)
    assert isinstance(done, Done)
    assert done.outcome == "reviewed:ungrounded"
    record = review_of(operation_db, account)
    assert (record["grounded"], record["evidence"]) == (False, [])
    assert record["confidence"] < record["raw_confidence"]


def test_an_account_stays_as_it_was_while_another_model_answers(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    replaced = NotAnswered(Unanswered.MODEL_REPLACED, replaced_reason("gemini-2.5-flash", "gemini-9"))
    stopped = reviewer(operation_db, asking(replaced)).review(account)
    assert stopped == Stopped(str(replaced.detail), at_once=False)
    assert review_of(operation_db, account) == {}


def test_a_broken_reply_is_repaired_by_one_ungrounded_call_and_proven_by_the_first(
    operation_db: ClonedDatabase,
) -> None:
    account, gemini = add(operation_db), asking(broken_body(HANDLE), body_of(fenced()))
    done = reviewer(operation_db, gemini).review(account)
    assert isinstance(done, Done)
    assert done.outcome == "reviewed"
    assert [(call.claim.kind, call.request.grounded) for call in gemini.asked] == [
        ("review", True),
        ("repair", False),
    ]
    assert gemini.asked[0].input_hash != gemini.asked[1].input_hash
    record = review_of(operation_db, account)
    assert record["review"]["name_en"] == "Gentle Monster"
    assert [item["claim"] for item in record["evidence"]] == [what_is_said(HANDLE)]
    assert record["usage_event_id"] == str(FIRST_EVENT)
    assert record["input_hash"] == gemini.asked[0].input_hash


@pytest.mark.parametrize(
    ("outcomes", "reason", "calls"),
    [
        ([broken_body(HANDLE), broken_body(HANDLE)], "truncated_or_broken", 2),
        ([broken_body(HANDLE), NotAnswered(Unanswered.NO_REPLY, WHY)], "truncated_or_broken", 2),
        ([refused_body()], "refused", 1),
        ([grounded_body(HANDLE, block="No JSON.")] * 2, "no_json", 2),
        ([{"candidates": []}], "not_a_reply", 1),
    ],
)
def test_a_reply_that_gives_no_review_is_a_final_failure_with_its_reason(
    operation_db: ClonedDatabase, outcomes: Sequence[Outcome], reason: str, calls: int
) -> None:
    account, gemini = add(operation_db), asking(*outcomes)
    done = reviewer(operation_db, gemini).review(account)
    record = review_of(operation_db, account)
    assert isinstance(done, Done)
    assert done.outcome == f"failed:{record['error']['reason']}"
    assert record["error"]["reason"] in {"truncated", "broken_json"} if "_or_" in reason else {reason}
    assert (record["status"], record["next_attempt_at"]) == ("failed", None)
    assert record["usage_event_id"] == str(FIRST_EVENT)
    assert len(gemini.asked) == calls


EMPTY = {
    "candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}],
    "modelVersion": "gemini-2.5-flash",
}


def test_a_broken_reply_that_another_run_repairs_is_left_to_it(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    gemini = asking(broken_body(HANDLE), NotAnswered(Unanswered.IN_FLIGHT, WHY))
    assert reviewer(operation_db, gemini).review(account) == Elsewhere()
    assert review_of(operation_db, account) == {}


def test_an_empty_reply_is_asked_for_once_more(operation_db: ClonedDatabase) -> None:
    account, gemini = add(operation_db), asking(EMPTY, grounded_body(HANDLE))
    done = reviewer(operation_db, gemini).review(account)
    assert isinstance(done, Done)
    assert (done.outcome, len(gemini.asked)) == ("reviewed", 2)
    assert [call.consumed_event_id for call in gemini.asked] == [None, str(FIRST_EVENT)]


def test_two_empty_replies_are_a_failure(operation_db: ClonedDatabase) -> None:
    account, gemini = add(operation_db), asking(EMPTY, EMPTY)
    done = reviewer(operation_db, gemini).review(account)
    assert isinstance(done, Done)
    assert (done.outcome, len(gemini.asked)) == ("failed:no_text", 2)
    assert review_of(operation_db, account)["usage_event_id"] == event_id(HANDLE, 2)


def asked_account(gemini: FakeGemini) -> dict[str, Any]:
    """The account as the question shows it."""
    (line,) = (line for line in gemini.asked[0].request.text.splitlines() if line.startswith("{"))
    found: dict[str, Any] = json.loads(line)
    return found


def test_the_question_shows_captions_of_posts_that_tag_the_account(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    captions = ["Blue hour with @gentlemonster", "  ", None, "a fourth is too many"]
    with assets_db.connection() as connection:
        posts = [
            str(
                connection.execute(
                    "insert into raw_posts (platform, external_id, caption, created_at, updated_at) "
                    "values ('instagram', %s, %s, now(), now()) returning id",
                    [f"c-{nth}", caption],
                ).fetchone()[0]
            )  # type: ignore[index]
            for nth, caption in enumerate(captions)
        ]
    account = add(operation_db, sample_posts=posts)
    gemini = asking(grounded_body(HANDLE))
    reviewer(operation_db, gemini, assets_db=assets_db).review(account)
    assert asked_account(gemini)["post_captions"] == ["Blue hour with @gentlemonster"]


def test_sample_posts_that_are_no_ids_or_are_gone_give_no_caption(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    account = add(operation_db, sample_posts=["no id", 7, str(uuid4())])
    gemini = asking(grounded_body(HANDLE))
    reviewer(operation_db, gemini, assets_db=assets_db).review(account)
    assert "post_captions" not in asked_account(gemini)


def test_a_review_that_a_caption_holds_is_not_the_answer(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    body = grounded_body(HANDLE)
    with assets_db.connection() as connection:
        post = connection.execute(
            "insert into raw_posts (platform, external_id, caption, created_at, updated_at) "
            "values ('instagram', 'hostile', %s, now(), now()) returning id",
            [body["candidates"][0]["content"]["parts"][0]["text"]],
        ).fetchone()
    assert post is not None
    account = add(operation_db, sample_posts=[str(post[0])])
    done = reviewer(operation_db, asking(body), assets_db=assets_db).review(account)
    assert done == Done("failed:quotes_the_profile")


def test_the_question_shows_the_entity_that_people_linked(operation_db: ClonedDatabase) -> None:
    with operation_db.connection() as connection:
        brand = connection.execute(
            "insert into brands (name_en, name_ko, country_of_origin) values ('Gentle Monster', '젠틀몬스터', 'KR') "
            "returning id"
        ).fetchone()
    assert brand is not None
    gemini = asking(grounded_body(HANDLE))
    reviewer(operation_db, gemini).review(add(operation_db, brand_id=brand[0]))
    assert asked_account(gemini)["known"] == (
        "entity_ig_role: primary; entity's name_en: Gentle Monster; entity's name_ko: 젠틀몬스터; "
        "entity's country_of_origin: KR"
    )


@pytest.mark.parametrize(("finish", "reason"), [("MAX_TOKENS", "truncated"), ("OTHER", "refused")])
def test_a_reply_that_was_stopped_before_its_first_word_is_not_paid_for_again(
    operation_db: ClonedDatabase, finish: str, reason: str
) -> None:
    account = add(operation_db)
    gemini = asking(EMPTY | {"candidates": [{"content": {"role": "model"}, "finishReason": finish}]})
    done = reviewer(operation_db, gemini).review(account)
    assert isinstance(done, Done)
    assert (done.outcome, len(gemini.asked)) == (f"failed:{reason}", 1)


def test_a_quota_that_ends_behind_an_empty_reply_leaves_the_account_as_it_was(
    operation_db: ClonedDatabase,
) -> None:
    account = add(operation_db)
    gemini = asking(EMPTY, NotAnswered(Unanswered.CAP_REACHED, WHY))
    assert isinstance(reviewer(operation_db, gemini).review(account), Stopped)
    assert review_of(operation_db, account) == {}


def test_a_request_that_gemini_refuses_is_final(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    done = reviewer(operation_db, asking(NotAnswered(Unanswered.REFUSED, WHY))).review(account)
    assert done == Done("failed:refused")
    record = review_of(operation_db, account)
    assert (record["status"], record["error"]) == ("failed", {"reason": "refused", "detail": str(WHY)})


@pytest.mark.parametrize("reason", [Unanswered.OVERLOADED, Unanswered.NO_REPLY])
def test_an_unanswered_account_is_deferred_longer_each_time_and_the_third_time_is_final(
    operation_db: ClonedDatabase, reason: Unanswered
) -> None:
    account = add(operation_db)
    waits = []
    for attempt in (1, 2, 3):
        before = datetime.now(UTC)
        done = reviewer(operation_db, asking(NotAnswered(reason, WHY))).review(account)
        assert done == Done(f"deferred:{reason}", unavailable=True)
        record = review_of(operation_db, account)
        assert record["attempts"] == attempt
        if record["status"] == "deferred":
            waits.append(datetime.fromisoformat(record["next_attempt_at"]) - before)
            expect_not_due(operation_db, account)
            make_due(operation_db, account)
    assert [round(wait.total_seconds() / 60) for wait in waits] == [15, 60]
    assert (record["status"], record["error"]["reason"]) == ("failed", str(reason))


def expect_not_due(database: ClonedDatabase, account: UUID) -> None:
    assert reviewer(database, FakeGemini()).review(account) == Done("unchanged")


def make_due(database: ClonedDatabase, account: UUID) -> None:
    with database.connection() as connection:
        connection.execute(
            "update instagram_accounts set metadata = jsonb_set(metadata, "
            "'{entity_enrichment,gemini_review,next_attempt_at}', '\"2026-01-01T00:00:00+00:00\"') where id = %s",
            [account],
        )


def test_a_network_that_is_down_is_not_held_against_the_account(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    for _ in range(5):
        answer = NotAnswered(Unanswered.UNREACHABLE, WHY)
        assert reviewer(operation_db, asking(answer)).review(account) == Done(
            "deferred:unreachable", unavailable=True
        )
        make_due(operation_db, account)
    record = review_of(operation_db, account)
    assert (record["status"], record["attempts"]) == ("deferred", 0)


def test_the_time_that_google_names_is_kept(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    reviewer(operation_db, asking(NotAnswered(Unanswered.OVERLOADED, WHY, SOON))).review(account)
    assert review_of(operation_db, account)["next_attempt_at"] == "2099-01-01T08:00:00+00:00"


def test_an_account_that_another_worker_asks_for_is_left_to_it(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    done = reviewer(operation_db, asking(NotAnswered(Unanswered.IN_FLIGHT, WHY))).review(account)
    assert done == Elsewhere()
    assert review_of(operation_db, account) == {}


@pytest.mark.parametrize("reason", sorted(STOPS_THE_RUN))
@pytest.mark.parametrize("before", [[], [broken_body(HANDLE)]], ids=["review", "repair"])
def test_a_failure_that_concerns_every_account_stops_the_run_and_leaves_the_account_as_it_was(
    operation_db: ClonedDatabase, reason: Unanswered, before: list[Outcome]
) -> None:
    account = add(operation_db)
    gemini = asking(*before, NotAnswered(reason, WHY, SOON))
    is_at_once = reason is Unanswered.STOPPED
    assert reviewer(operation_db, gemini).review(account) == Stopped(str(WHY), SOON, at_once=is_at_once)
    assert review_of(operation_db, account) == {}


def test_a_missing_model_is_not_an_outcome_of_an_account(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    with pytest.raises(ModelUnavailable):
        reviewer(operation_db, asking(ModelUnavailable("unknown model"))).review(account)
    assert review_of(operation_db, account) == {}


@pytest.mark.parametrize("username", ["not a handle", "", "한국", "a" * 31])
def test_a_username_that_is_not_a_handle_is_never_asked_for(
    operation_db: ClonedDatabase, username: str
) -> None:
    account = add(operation_db, username)
    done = reviewer(operation_db, FakeGemini()).review(account)
    assert done == Done("failed:invalid_username")
    record = review_of(operation_db, account)
    assert record["status"] == "failed"
    assert "correct it in the catalog screens" in record["error"]["detail"]


def test_an_odd_spelling_is_asked_for_by_its_handle(operation_db: ClonedDatabase) -> None:
    account, gemini = add(operation_db, " @GentleMonster "), asking(grounded_body(HANDLE))
    assert isinstance(done := reviewer(operation_db, gemini).review(account), Done)
    assert done.outcome == "reviewed"


def test_an_account_that_is_gone_or_done_is_left_alone(operation_db: ClonedDatabase) -> None:
    done = add(operation_db, review={"status": "reviewed"})
    for account, outcome in ((uuid4(), "gone"), (done, "unchanged")):
        assert reviewer(operation_db, FakeGemini()).review(account) == Done(outcome)
    assert review_of(operation_db, done) == {"status": "reviewed"}


def test_a_refresh_of_all_asks_again_and_once_a_run(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    gemini = asking(grounded_body(HANDLE), grounded_body(HANDLE, name_en="Renamed"))
    reviewer(operation_db, gemini).review(account)
    again = reviewer(operation_db, gemini, refresh="all", run_id="run-2")
    assert again.wants(account)
    assert again.review(account) == Done("reviewed")
    assert gemini.asked[1].consumed_event_id == FIRST_EVENT
    assert review_of(operation_db, account)["review"]["name_en"] == "Renamed"
    assert review_of(operation_db, account)["usage_event_id"] == str(SECOND_EVENT)
    assert not again.wants(account)
    assert again.review(account) == Done("unchanged")


def test_a_refresh_of_stale_reviews_asks_only_where_an_input_changed(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    gemini = asking(grounded_body(HANDLE), grounded_body(HANDLE))
    reviewer(operation_db, gemini).review(account)
    again = reviewer(operation_db, gemini, refresh="stale", run_id="run-2")
    assert not again.wants(account)
    assert again.review(account) == Done("unchanged")
    with operation_db.connection() as connection:
        connection.execute("update instagram_accounts set bio = 'new bio'")
    assert again.wants(account)
    assert isinstance(done := again.review(account), Done)
    assert done.outcome == "reviewed"
    assert not again.wants(account)


def test_a_refresh_that_fails_keeps_the_review_it_was_to_renew(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)
    gemini = asking(grounded_body(HANDLE), NotAnswered(Unanswered.OVERLOADED, WHY), refused_body())
    reviewer(operation_db, gemini).review(account)
    good = review_of(operation_db, account)
    for reason in ("overloaded", "refused"):
        reviewer(operation_db, gemini, refresh="all", run_id=reason).review(account)
        record = review_of(operation_db, account)
        assert (record["status"], record["review"]) == ("reviewed", good["review"])
        assert record["error"]["reason"] == reason


def test_an_account_without_a_handle_or_row_is_not_wanted(operation_db: ClonedDatabase) -> None:
    again = reviewer(operation_db, FakeGemini(), refresh="all")
    assert not again.wants(add(operation_db, "no handle"))
    assert not again.wants(uuid4())


def test_what_a_person_writes_while_gemini_thinks_is_kept(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)

    def edit_meanwhile(_: object) -> Outcome:
        with operation_db.connection() as connection:
            connection.execute(
                "update instagram_accounts set bio = 'theirs', metadata = jsonb_set(metadata || "
                '\'{"note": "changed"}\', \'{entity_enrichment,catalog_link}\', \'{"status": "undone"}\')'
            )
        return grounded_body(HANDLE)

    reviewer(operation_db, asking(edit_meanwhile)).review(account)
    with operation_db.connection() as connection:
        row = connection.execute("select bio, metadata from instagram_accounts").fetchone()
    assert row is not None
    assert (row[0], row[1]["note"]) == ("theirs", "changed")
    assert row[1]["entity_enrichment"]["catalog_link"] == {"status": "undone"}
    assert row[1]["entity_enrichment"]["gemini_review"]["status"] == "reviewed"


def test_metadata_that_became_unusable_meanwhile_is_not_destroyed(operation_db: ClonedDatabase) -> None:
    account = add(operation_db)

    def replace_meanwhile(_: object) -> Outcome:
        with operation_db.connection() as connection:
            connection.execute("update instagram_accounts set metadata = '[1]'")
        return grounded_body(HANDLE)

    done = reviewer(operation_db, asking(replace_meanwhile)).review(account)
    assert done == Done("metadata_unusable")
    with operation_db.connection() as connection:
        assert connection.execute("select metadata from instagram_accounts").fetchone() == ([1],)


class Killed(BaseException):
    """Raised as if the process died here."""


@pytest.mark.parametrize(
    ("behaviour", "requests"), [("trailing_commas", 1), ("broken_then_mended", 2)], ids=["review", "repair"]
)
def test_a_crash_between_the_paid_reply_and_the_account_costs_no_second_call(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, behaviour: str, requests: int
) -> None:
    with GeminiStandin(latency_ms=0) as standin:
        account = add(operation_db, behaving(behaviour))
        resource = GeminiResource(
            assets_db=PostgresResource(url=assets_db.url), api_key="any", base_url=standin.url
        )

        def die(number: int) -> None:
            if number == 2:
                raise Killed

        with pytest.raises(Killed):
            reviewer(FlakyDatabase(operation_db, before=die), resource).review(account)
        assert review_of(operation_db, account) == {}
        assert standin.requests["total"] == requests
        done = reviewer(operation_db, resource, run_id="run-2").review(account)
        assert isinstance(done, Done)
        assert done.outcome == "reviewed:replayed"
        assert standin.requests["total"] == requests
    with assets_db.connection() as connection:
        states = connection.execute(
            "select state, id::text from gemini_usage_events order by created_at"
        ).fetchall()
    assert [state for state, _ in states] == ["settled"] * requests
    assert review_of(operation_db, account)["usage_event_id"] == states[0][1]


def behaving(behaviour: str) -> str:
    """A handle of the sample with this behaviour of Gemini's stand-in."""
    return next(name for name, account in load_truth().items() if account.gemini == behaviour)


def test_a_database_that_is_away_for_a_moment_loses_no_paid_reply(operation_db: ClonedDatabase) -> None:
    account, gemini = add(operation_db), asking(grounded_body(HANDLE))
    flaky = FlakyDatabase(operation_db, {1: DatabaseUnavailable("away"), 3: DatabaseUnavailable("away")})
    assert isinstance(done := reviewer(flaky, gemini).review(account), Done)
    assert done.outcome == "reviewed"
    assert len(gemini.asked) == 1


@pytest.mark.parametrize("answered", ["gemini-2.5-flash-001", None])
def test_a_build_of_the_model_and_a_reply_without_a_model_are_taken(
    operation_db: ClonedDatabase, answered: str | None
) -> None:
    body = {key: value for key, value in grounded_body(HANDLE).items() if key != "modelVersion"}
    gemini = asking({**body, "modelVersion": answered} if answered else body)
    assert reviewer(operation_db, gemini).review(add(operation_db)) == Done("reviewed")


def test_a_failed_review_that_is_asked_again_has_all_its_attempts(operation_db: ClonedDatabase) -> None:
    account = add(operation_db, review={"status": "failed", "attempts": 3, "error": {"reason": "overloaded"}})
    busy = NotAnswered(Unanswered.OVERLOADED, WHY)
    assert (
        reviewer(operation_db, asking(busy), refresh="failed").review(account).outcome.startswith("deferred")
    )
    record = review_of(operation_db, account)
    assert (record["status"], record["attempts"]) == ("deferred", 1)


@pytest.mark.parametrize("status", ["reviewed", "deferred"])
def test_a_refresh_of_failed_reviews_leaves_others_alone(operation_db: ClonedDatabase, status: str) -> None:
    later = "2099-01-01T00:00:00+00:00"
    account = add(operation_db, review={"status": status, "next_attempt_at": later})
    gemini = asking()
    assert reviewer(operation_db, gemini, refresh="failed").review(account) == Done("unchanged")
    assert gemini.asked == []
