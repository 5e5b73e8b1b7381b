"""What the ledger keeps of a request: sealed, in full or without its texts, on a real database over the stand-in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from entity_pipeline.cli.request import as_text
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.gemini.outcomes import Answered
from entity_pipeline.core.gemini.request import Text
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.stop import ImpatientStop
from entity_pipeline_tests.resources.gemini.ledger_cases import REVIEW, limit, limited, row_of
from entity_pipeline_tests.standins import GeminiStandin

BIO = "안녕 \U0001f9f5 a bio"
REQUEST = replace(REVIEW.request, system="Be exact.", parts=(Text("Who is "), Text(f'{{"bio": "{BIO}"}}?')))
QUESTION = replace(REVIEW, request=REQUEST)
SETTINGS = REQUEST.settings()
WHOLE = {**SETTINGS, **REQUEST.texts()}
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def url() -> Iterator[str]:
    with GeminiStandin(latency_ms=0) as server:
        yield server.url


def gemini(database: ClonedDatabase, url: str, keys: str | None) -> GeminiResource:
    return GeminiResource(
        assets_db=PostgresResource(url=database.url),
        api_key="any",
        base_url=url,
        model_name=REQUEST.model,
        request_keys=keys,
    )


def asked(database: ClonedDatabase, url: str, how: str, keys: str | None) -> tuple[str, Any]:
    """The ID of a request that was sent, and what is stored of it."""
    limit(database, limited(keep_requests=how))
    deadline = datetime.now(UTC) + timedelta(minutes=1)
    answer = gemini(database, url, keys).ask(
        QUESTION, run_id="run-1", stop=ImpatientStop(), deadline=deadline
    )
    assert isinstance(answer, Answered)
    return answer.reply.event_id, row_of(database, answer.reply.event_id)["request"]


def test_a_sealed_request_comes_back_whole_and_is_unreadable_in_the_table(
    assets_db: ClonedDatabase, url: str
) -> None:
    event_id, stored = asked(assets_db, url, "sealed", OLD)
    assert stored.keys() == {*SETTINGS, "sealed"}
    assert BIO not in str(stored)
    assert "exact" not in str(stored)
    for keys in (OLD, f"{NEW},{OLD}"):
        assert gemini(assets_db, url, keys).kept_request(event_id) == WHOLE
    with pytest.raises(ConfigurationFailure, match=r"^This request is encrypted: set GEMINI_REQUEST_KEYS"):
        gemini(assets_db, url, None).kept_request(event_id)
    with pytest.raises(ConfigurationFailure, match=r"^No key of GEMINI_REQUEST_KEYS decrypts this request"):
        gemini(assets_db, url, NEW).kept_request(event_id)


@pytest.mark.parametrize(
    ("how", "keys", "kept"),
    [("full", None, WHOLE), ("full", OLD, WHOLE), ("none", OLD, SETTINGS), ("sealed", None, SETTINGS)],
    ids=["full without keys", "full with keys", "none with keys", "sealed without keys"],
)
def test_an_open_request_is_kept_as_the_setting_says(
    assets_db: ClonedDatabase, url: str, how: str, keys: str | None, kept: Any
) -> None:
    event_id, stored = asked(assets_db, url, how, keys)
    assert stored == kept
    assert gemini(assets_db, url, None).kept_request(event_id) == kept


@pytest.mark.parametrize("event_id", ["7", "", "00000000-0000-0000-0000-000000000000", "'; --"])
def test_an_id_that_the_ledger_does_not_have_gives_none(
    assets_db: ClonedDatabase, url: str, event_id: str
) -> None:
    assert gemini(assets_db, url, None).kept_request(event_id) is None


def test_text_of_a_stranger_does_not_control_the_terminal() -> None:
    shown = as_text({"parts": [{"text": "안녕 \x1b[2J \x9b2J \u202e \U000e0001"}]})
    assert "안녕" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)
