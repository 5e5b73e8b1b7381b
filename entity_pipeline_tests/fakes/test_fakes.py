"""The fakes of the ports do what their docstrings say; those of the ledger have their own files."""

from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from entity_pipeline.core.failures import DatabaseUnavailable, TransientFailure
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered, Unanswered
from entity_pipeline.core.gemini.reasons import because
from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.instagram.highlights import HighlightsLook, HighlightTray
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.picture import PictureDownload
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileLook
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.objects import ObjectStore, object_key
from entity_pipeline.core.ports import Database
from entity_pipeline.core.reasons import Reason
from entity_pipeline.core.settings import Closed, Open, SettingsAccess
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.database import FlakyDatabase
from entity_pipeline_tests.fakes.gemini import FakeGemini, Replayed, event_id
from entity_pipeline_tests.fakes.instagram import FakeInstagram
from entity_pipeline_tests.fakes.object_store import FakeObjectStore
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.resources.gemini.ledger_cases import about

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NO = because("no_answer")


def ask(gemini: GeminiAccess, subject: str = "brand") -> Any:
    return gemini.ask(about(subject), run_id="r", stop=Event(), deadline=NOW)


def test_gemini_gives_its_outcomes_in_order_and_fails_the_test_when_there_are_none() -> None:
    refused = NotAnswered(Unanswered.REFUSED, NO)
    fake = FakeGemini({"brand": [{"modelVersion": "v"}, refused, Replayed({}), lambda call: refused]})
    first = ask(fake)
    assert (first.reply.event_id, first.reply.model_version, first.replayed) == (
        event_id("brand", 1),
        "v",
        False,
    )
    assert ask(fake) is refused
    again = ask(fake)
    assert isinstance(again, Answered)
    assert (again.reply.event_id, again.replayed) == (event_id("brand", 2), True)
    assert list(fake.left) == ["brand"]
    assert ask(fake) is refused
    assert list(fake.left) == []
    with pytest.raises(AssertionError, match="brand was asked for once too often"):
        ask(fake)
    assert [call.claim.subject for call in fake.asked] == ["brand"] * 5


def test_gemini_raises_what_it_is_given() -> None:
    with pytest.raises(DatabaseUnavailable):
        ask(FakeGemini({"brand": [DatabaseUnavailable("away")]}))


def test_gemini_gives_a_quota() -> None:
    quota = FakeGemini(cap=5, used=5).quota()
    assert quota.cap_reached


def test_settings_give_their_gates_in_order_and_repeat_the_last_one() -> None:
    settings: SettingsAccess = FakeSettings(
        Open(EntitySettings()), DatabaseUnavailable("a"), Closed.because("b")
    )
    assert settings.gate(EntitySettings) == Open(EntitySettings())
    with pytest.raises(DatabaseUnavailable):
        settings.gate(EntitySettings)
    assert [settings.gate(EntitySettings), settings.gate(EntitySettings)] == [Closed.because("b")] * 2


def test_instagram_finds_what_it_knows_and_records_what_was_asked() -> None:
    wall = Result[InstagramProfile](Finding.UNANSWERED, seat=SeatOutcome.WALL)
    budget = Result[InstagramProfile](Finding.BUDGET)
    deferred = Deferred(Reason("p", "k"))
    seen: list[str] = []
    fake = FakeInstagram({"a": [wall, budget], "b": wall, "c": deferred}, meanwhile=seen.append)
    access: InstagramAccess = fake
    session = access.session("entities", account="ours")
    ended = [session.run(ProfileLook(name), NOW) for name in "aaabbxc"]
    words = [one.word if isinstance(one, Result) else "deferred" for one in ended]
    assert words == ["wall", "budget", "budget", "wall", "wall", "not_found", "deferred"]
    assert fake.looked_at == seen == list("aaabbxc")
    assert fake.sessions == [("entities", "ours")]
    picture = session.run(PictureDownload("https://p.example"), NOW)
    assert isinstance(picture, Result)
    assert (picture.finding, picture.detail) == (Finding.NOT_FOUND, "missing")
    assert fake.downloaded == ["https://p.example"]


def test_instagram_answers_any_operation() -> None:
    tray = Result(Finding.FOUND, HighlightTray(()))
    fake = FakeInstagram(answers={HighlightsLook(1): tray})
    ended = [fake.run(HighlightsLook(pk), NOW) for pk in (1, 2)]
    assert ended[0] is tray
    assert isinstance(ended[1], Result)
    assert ended[1].word == "not_found"
    assert fake.ran == [HighlightsLook(1), HighlightsLook(2)]


def test_the_object_store_fails_as_often_as_configured() -> None:
    fake = FakeObjectStore(TransientFailure("down"), None)
    store: ObjectStore = fake
    with pytest.raises(TransientFailure):
        store.put("k", b"1", "image/png")
    stored = store.put("k", b"2", "image/png")
    assert stored.key == object_key("k", stored.sha256, "image/png")
    assert stored.url == f"https://img.example/{stored.key}"
    assert (fake.objects, fake.puts) == ({stored.key: (b"2", "image/png")}, 2)
    assert (store.get(stored.key), store.exists(stored.key)) == (b"2", True)
    store.delete(stored.key)
    store.delete(stored.key)
    assert (store.get(stored.key), store.exists(stored.key)) == (None, False)


def test_the_flaky_database_fails_at_the_chosen_connection_alone(operation_db: ClonedDatabase) -> None:
    seen: list[int] = []
    fake = FlakyDatabase(operation_db, {2: DatabaseUnavailable("away")}, seen.append)
    database: Database = fake
    with database.connection() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    with pytest.raises(DatabaseUnavailable), database.connection():
        pass
    with database.connection() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert seen == [1, 2, 3]
