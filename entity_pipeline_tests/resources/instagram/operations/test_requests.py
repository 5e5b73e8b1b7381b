"""Each operation on posts, reels, highlights, hashtags and pks, by real Instaloader over a real socket.

Whatever the answer: one request with the account's session, and an outcome for the seat apart from the result.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import pytest

from entity_pipeline.core.instagram.hashtag_top import HashtagCursor, HashtagMore, HashtagTop
from entity_pipeline.core.instagram.highlights import HighlightItems, HighlightsLook
from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.post import PostLook
from entity_pipeline.core.instagram.profile import ProfileById
from entity_pipeline.core.instagram.reels import ReelsLook
from entity_pipeline.resources.instagram.attempt import Attempted, attempt
from entity_pipeline.resources.instagram.handlers import SeatedHandler, handler_of
from entity_pipeline.resources.instagram.session_secrets import Identity
from entity_pipeline.sandbox.instagram_profiles import pk_of
from entity_pipeline.sandbox.loopback_http import Reply
from entity_pipeline_tests.resources.instagram import media as raw
from entity_pipeline_tests.resources.instagram.page_server import PageServer, failure, redirect, serving
from entity_pipeline_tests.standins import InstagramStandin

SESSION = Identity("pool_1", {"csrftoken": "c", "sessionid": "1%3As3cret", "ds_user_id": "1"})
GRAPHQL, WWW, MOBILE = "/graphql/query", "www.instagram.com", "i.instagram.com"
HIGHLIGHT = 17900000000000000


@dataclass(frozen=True)
class Case:
    operation: Operation[Any]
    host: str
    path: str
    good: dict[str, Any]

    @property
    def name(self) -> str:
        return self.operation.name


CASES = [
    Case(PostLook("Made0000000"), WWW, GRAPHQL, raw.web_info(raw.media())),
    Case(NewestPosts(raw.OWNER, 20), MOBILE, f"/api/v1/feed/user/{raw.OWNER}/", raw.feed(raw.media())),
    Case(ReelsLook(raw.OWNER, "made.up.person"), WWW, GRAPHQL, raw.reels_tab(raw.media())),
    Case(ProfileById(raw.OWNER), MOBILE, f"/api/v1/users/{raw.OWNER}/info/", raw.info()),
    Case(
        HashtagTop("MadeUp"), MOBILE, "/api/v1/tags/web_info/",
        raw.hashtag({"layout_content": {"medias": [{"media": raw.media()}]}}),
    ),
    Case(
        HashtagMore("서울", HashtagCursor("T", 1, (7, 8))), WWW, "/api/v1/tags/%EC%84%9C%EC%9A%B8/sections/",
        {"sections": [{"layout_content": {"medias": [{"media": raw.media()}]}}], "status": "ok"},
    ),
    Case(
        HighlightsLook(raw.OWNER), MOBILE, f"/api/v1/highlights/{raw.OWNER}/highlights_tray/",
        raw.tray(raw.highlight()),
    ),
    Case(HighlightItems((HIGHLIGHT,)), MOBILE, "/api/v1/feed/reels_media/", raw.stories(HIGHLIGHT, raw.story())),
]  # fmt: skip
every = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def ask(case: Case, server: PageServer) -> Attempted[Any]:
    handler = handler_of(case.operation)
    assert isinstance(handler, SeatedHandler)
    return attempt(
        handler, case.operation, SESSION, before_send=lambda _: None, timeout_s=5, base_url=server.url
    )


def word(seen: Attempted[Any]) -> str:
    return str(seen.learned if seen.finding is Finding.UNANSWERED else seen.finding)


@every
def test_it_costs_one_request_with_the_session(case: Case) -> None:
    with serving({case.path: raw.reply(case.good)}) as server:
        seen = ask(case, server)
    assert (seen.finding, seen.learned, seen.with_session) == (Finding.FOUND, SeatOutcome.OK, True), (
        seen.detail
    )
    (request,) = server.requests
    assert (request.host, request.path) == (case.host, case.path)
    handler = handler_of(case.operation)
    assert isinstance(handler, SeatedHandler)
    assert (handler.most_requests, handler.first_host, handler.needs_session) == (1, case.host, True)


@every
@pytest.mark.parametrize(
    ("reply", "expected", "seat"),
    [
        pytest.param(failure(403, "login_required"), "logged_out", "logged_out", id="login required"),
        pytest.param(failure(400, "checkpoint_required"), "challenge", "challenge", id="checkpoint"),
        pytest.param(failure(400, "feedback_required"), "challenge", "challenge", id="feedback"),
        pytest.param(failure(401, "Please wait a few minutes before you try again."), "rate_limited",
                     "rate_limited", id="please wait"),
        pytest.param(Reply(429, b"{}"), "rate_limited", "rate_limited", id="429"),
        pytest.param(Reply(503, b"<h1>5xx</h1>", "text/html"), "upstream", "upstream", id="503"),
        pytest.param(Reply(drop=True), "transport", "transport", id="dropped"),
        pytest.param(Reply(404, b"Not Found", "text/plain"), "challenge", "challenge", id="masked challenge"),
        pytest.param(failure(404, "Not found."), "not_found", "ok", id="404 as JSON"),
        pytest.param(failure(400, "Not authorized to view user"), "private", "ok", id="private"),
        pytest.param(failure(400, "invalid request"), "schema_drift", "unclear", id="invalid request"),
        pytest.param(redirect("https://www.instagram.com/accounts/login/"), "logged_out", "logged_out", id="to login"),
        pytest.param(redirect("https://www.instagram.com/challenge/"), "challenge", "challenge", id="to challenge"),
        pytest.param(redirect("https://www.instagram.com/"), "schema_drift", "unclear", id="to the home page"),
        pytest.param(raw.reply({"data": None, "errors": [{"message": "execution error"}], "status": "ok"}),
                     "schema_drift", "unclear", id="retired query"),
        pytest.param(raw.reply({"data": None, "errors": [{"message": "login_required"}], "status": "ok"}),
                     "logged_out", "logged_out", id="logged out inside a 200"),
        pytest.param(raw.reply({"data": {"renamed": {}}, "renamed": [], "status": "ok"}), "schema_drift", "unclear",
                     id="renamed fields"),
        pytest.param(raw.reply([]), "schema_drift", "unclear", id="a list"),
        pytest.param(Reply(200, b'for (;;);{"error":1357004}'), "schema_drift", "unclear", id="stale tokens"),
        pytest.param(Reply(200, b"<html></html>", "text/html"), "schema_drift", "unclear", id="a page"),
        pytest.param(Reply(200, b'{"data": {"'), "schema_drift", "unclear", id="cut off"),
    ],
)  # fmt: skip
def test_what_only_looks_like_an_absence_is_kept_apart(
    case: Case, reply: Reply, expected: str, seat: str
) -> None:
    with serving({case.path: reply, "/": raw.reply({}), "/challenge/": raw.reply({})}) as server:
        seen = ask(case, server)
    assert (word(seen), str(seen.learned), seen.value) == (expected, seat, None)
    assert len(server.requests) == 1


def _post(answer: Any) -> Attempted[Any]:
    with serving({GRAPHQL: answer if isinstance(answer, Reply) else raw.reply(answer)}) as server:
        return ask(CASES[0], server)


INFO = "xdt_api__v1__media__shortcode__web_info"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(raw.web_info(), "not_found", id="an empty list"),
        pytest.param(failure(400, "Media not found or unavailable"), "not_found", id="not found"),
        pytest.param(failure(400, "Media is unavailable"), "not_found", id="unavailable"),
        pytest.param(failure(400, "This media has been deleted."), "not_found", id="deleted"),
        pytest.param({"data": {INFO: None}, "status": "ok"}, "schema_drift", id="null"),
        pytest.param({"data": {INFO: {"items": None}}, "status": "ok"}, "schema_drift", id="null items"),
        pytest.param(raw.web_info(raw.media(code="Other000000")), "schema_drift", id="another post"),
        pytest.param(raw.web_info(raw.media(pk=...)), "schema_drift", id="no pk"),
        pytest.param(raw.web_info(raw.media(media_type=77)), "found", id="an unknown type"),
        pytest.param(
            raw.web_info() | {"require_login": True}, "logged_out", id="an empty list and a refusal"
        ),
    ],
)
def test_only_an_answer_about_the_post_says_that_it_is_gone(answer: Any, expected: str) -> None:
    assert word(_post(answer)) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(raw.feed(), "unclear", id="empty"),
        pytest.param(raw.feed(user={"pk": raw.OWNER, "is_private": True}), "private", id="empty and private"),
        pytest.param(raw.feed(raw.media(), user={"pk": 5}), "schema_drift", id="another profile"),
        pytest.param(raw.feed({"pk": 1}, None), "schema_drift", id="no readable post"),
        pytest.param(raw.feed(raw.media(), None), "found", id="one readable post"),
        pytest.param(raw.feed(items=None), "schema_drift", id="null"),
    ],
)
def test_an_empty_page_says_nothing_about_the_profile(answer: Any, expected: str) -> None:
    with serving({CASES[1].path: raw.reply(answer)}) as server:
        assert word(ask(CASES[1], server)) == expected
    assert len(server.requests) == 1


def test_the_parameters_are_those_that_instagram_takes() -> None:
    sent = {}
    for case in CASES:
        with serving({case.path: raw.reply(case.good)}) as server:
            ask(case, server)
        (request,) = server.requests
        form = parse_qs(request.body.decode())
        sent[case.name] = {name: values[0] for name, values in form.items()} | {
            name: values if len(values) > 1 else values[0] for name, values in request.query.items()
        }
    assert sent["newest_posts"] == {"count": "20"}
    assert json.loads(sent["post"]["variables"])["shortcode"] == "Made0000000"
    assert json.loads(sent["reels"]["variables"])["data"]["target_user_id"] == str(raw.OWNER)
    assert sent["hashtag_top"]["tag_name"] == "madeup"
    assert sent["hashtag_more"]["max_id"] == "T"
    assert sent["hashtag_more"]["next_media_ids"] == "[7,8]"
    assert sent["highlight_items"] == {"reel_ids": f"highlight:{HIGHLIGHT}"}


@pytest.mark.parametrize(
    "operation",
    [
        PostLook("a/b"),
        PostLook(""),
        HashtagTop("a/b"),
        HashtagTop(""),
        HashtagTop("#a"),
        HashtagMore("../x", HashtagCursor("T", 1)),
    ],
)
def test_an_invalid_target_is_refused_before_anything_is_sent(operation: Operation[Any]) -> None:
    handler = handler_of(operation)
    assert isinstance(handler, SeatedHandler)
    assert handler.refuses(operation)


@pytest.mark.parametrize("tag", ["jeju", "서울맛집", "Café", "ประเทศไทย", "a_1"])
def test_a_tag_of_any_language_is_valid(tag: str) -> None:
    handler = handler_of(HashtagTop(tag))
    assert isinstance(handler, SeatedHandler)
    assert handler.refuses(HashtagTop(tag)) is None


@pytest.mark.parametrize(
    "made", [lambda: HighlightItems(()), lambda: HighlightItems((1,) * 6), lambda: NewestPosts(1, 34)]
)
def test_more_than_a_request_holds_can_not_be_asked_for(made: Any) -> None:
    with pytest.raises(ValueError, match="not"):
        made()


def test_a_bad_day_of_the_stand_in_is_read_as_one() -> None:
    operation = NewestPosts(pk_of("prada"))
    handler = handler_of(operation)
    assert isinstance(handler, SeatedHandler)
    with InstagramStandin(latency_ms=0, chaos=1) as standin:
        seen = [
            attempt(
                handler, operation, SESSION, before_send=lambda _: None, timeout_s=5, base_url=standin.url
            )
            for _ in range(250)
        ]
        assert standin.requests["total"] == len(seen)
    refused = {"rate_limited", "logged_out", "challenge", "upstream", "transport", "schema_drift"}
    assert {word(one) for one in seen} == {"found", "unclear"} | refused
