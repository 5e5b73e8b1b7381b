"""A profile's page by its username: its tokens are read once, and dropped when they are refused."""

from typing import Any

import pytest

from entity_pipeline.core.instagram.newest_posts import NewestPostsByName, PostsPage
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.resources.instagram.attempt import Attempted, attempt
from entity_pipeline.resources.instagram.operations.newest_posts_by_name import HANDLER
from entity_pipeline.resources.instagram.seating import SlotRefused
from entity_pipeline.resources.instagram.web_tokens import KEPT_S, WebTokens
from entity_pipeline.sandbox.instagram_pages import signed_in_page
from entity_pipeline.sandbox.loopback_http import Reply
from entity_pipeline_tests.resources.instagram import media as raw
from entity_pipeline_tests.resources.instagram.operations.test_requests import SESSION, word
from entity_pipeline_tests.resources.instagram.page_server import HTML, PageServer, redirect, serving
from entity_pipeline_tests.standins import InstagramStandin

LOOK = NewestPostsByName("Made.Up.Person")
QUERY = "/api/graphql"
START = Reply(200, signed_in_page().encode(), HTML)
STALE = Reply(200, b'for (;;);{"error":1357004}')
GOOD = raw.reply(raw.timeline(raw.media()))


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def ask(
    server: PageServer | InstagramStandin, tokens: WebTokens, look: NewestPostsByName = LOOK, slots: int = 9
) -> Attempted[PostsPage]:
    left = [*range(slots)]

    def before_send(host: str) -> None:
        if not left:
            raise SlotRefused("no slot is free")
        left.pop()

    return attempt(
        HANDLER, look, SESSION, before_send=before_send, timeout_s=5, base_url=server.url, tokens=tokens
    )


def test_only_the_first_look_reads_the_tokens() -> None:
    clock = Clock()
    tokens = WebTokens(clock)
    with serving({"/": START, QUERY: GOOD}) as server:
        words = [word(ask(server, tokens)) for _ in range(3)]
        clock.now += KEPT_S
        words.append(word(ask(server, tokens)))
    assert words == ["found"] * 4
    assert server.paths == ["/", QUERY, QUERY, QUERY, "/", QUERY]
    assert b"fb_dtsg=simulated" in server.requests[2].body
    assert "simulated" not in repr(tokens)


def test_stale_tokens_are_read_again_the_next_time() -> None:
    tokens = WebTokens()
    with serving({"/": START, QUERY: [GOOD, STALE, GOOD]}) as server:
        words = [word(ask(server, tokens)) for _ in range(3)]
    assert words == ["found", "schema_drift", "found"]
    assert server.paths == ["/", QUERY, QUERY, "/", QUERY]


def test_without_a_slot_for_the_query_the_tokens_are_kept() -> None:
    tokens = WebTokens()
    with serving({"/": START, QUERY: GOOD}) as server:
        cut = ask(server, tokens, slots=1)
        again = ask(server, tokens, slots=1)
    assert (cut.finding, cut.learned) == (Finding.BUDGET, SeatOutcome.UNCLEAR)
    assert again.finding is Finding.FOUND
    assert server.paths == ["/", QUERY]


@pytest.mark.parametrize(
    ("start", "answer", "expected"),
    [
        (redirect("https://www.instagram.com/accounts/login/"), GOOD, "logged_out"),
        (Reply(200, b"<html><body>no tokens</body></html>", HTML), GOOD, "schema_drift"),
        (START, raw.reply(raw.timeline()), "unclear"),
        (
            START,
            raw.reply({"data": {"xdt_api__v1__feed__user_timeline_graphql_connection": None}}),
            "schema_drift",
        ),
        (START, raw.reply(raw.timeline(raw.media(user={"pk": "5", "username": "other"}))), "schema_drift"),
        (
            START,
            raw.reply(
                raw.timeline(
                    raw.media(user={"pk": "5", "username": "other"}, coauthor_producers=[raw.media()["user"]])
                )
            ),
            "found",
        ),
        (START, raw.reply(raw.timeline(raw.media(user=...))), "found"),
        (START, raw.reply(raw.timeline({"pk": 1}, None)), "schema_drift"),
    ],
)
def test_each_answer_has_its_outcome(start: Reply, answer: Reply, expected: str) -> None:
    with serving({"/": start, QUERY: answer}) as server:
        assert word(ask(server, WebTokens())) == expected
    assert len(server.requests) <= 2


def test_the_stand_in_serves_it() -> None:
    tokens = WebTokens()
    with InstagramStandin(latency_ms=0) as standin:
        seen: list[Any] = [ask(standin, tokens, NewestPostsByName(name)) for name in ("prada", "not.there")]
    assert len(seen[0].value.posts) == 12
    assert {one.play_count for one in seen[0].value.posts} == {None}
    assert word(seen[1]) == "unclear"
