"""Real Instaloader over a real socket: every known answer, none of which makes it hang or leak."""

import base64
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from instaloader import InstaloaderException

from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileLook
from entity_pipeline.resources.instagram.adapter import (
    BudgetSpent,
    GovernedAdapter,
    HostRefused,
    RequestStopped,
)
from entity_pipeline.resources.instagram.attempt import Attempted, attempt
from entity_pipeline.resources.instagram.context import GovernedContext
from entity_pipeline.resources.instagram.operations.profile import HANDLER
from entity_pipeline.resources.instagram.session_secrets import Identity
from entity_pipeline.sandbox.loopback_http import Reply
from entity_pipeline_tests.resources.instagram.page_server import (
    DRIPS,
    HTML,
    PageServer,
    dripping,
    failure,
    page,
    redirect,
    serving,
    user,
)

COOKIES = {"csrftoken": "c", "sessionid": "s3cret", "ds_user_id": "1"}
SESSION = Identity(account="pool_1", cookies=COOKIES)
LOGIN = "https://www.instagram.com/accounts/login/?next=%2Fgentlemonster%2F"
API = "/api/v1/users/web_profile_info/"


LOOK = ProfileLook("GentleMonster")
ANYONE = Identity()
Looked = Attempted[InstagramProfile]


def look(server: PageServer, identity: Identity = ANYONE, timeout_s: float = 5) -> Looked:
    return attempt(
        HANDLER, LOOK, identity, before_send=lambda _: None, timeout_s=timeout_s, base_url=server.url
    )


def word(seen: Looked) -> str:
    """The finding, or else the outcome for the seat."""
    return str(seen.learned if seen.finding is Finding.UNANSWERED else seen.finding)


def test_a_profile_costs_one_request_without_cookies() -> None:
    with serving({"/gentlemonster/": page(user("gentlemonster"))}) as server:
        seen = look(server)
    assert seen.finding is Finding.FOUND
    assert seen.value is not None
    assert (seen.value.instagram_id, seen.value.display_name) == ("25025320", "젠틀몬스터")
    assert server.paths == ["/gentlemonster/"]
    assert server.requests[0].host == "www.instagram.com"


def test_a_page_that_does_not_name_its_charset_is_still_utf8() -> None:
    with serving({"/gentlemonster/": page(user("gentlemonster"), "text/html")}) as server:
        seen = look(server)
    assert seen.value is not None
    assert seen.value.bio == "아이웨어 브랜드"


def test_the_page_is_read_without_the_session_even_when_one_is_loaded() -> None:
    with serving({"/gentlemonster/": page(user("gentlemonster"))}) as server:
        seen = look(server, SESSION)
    assert (seen.finding, seen.with_session) == (Finding.FOUND, False)
    assert "s3cret" not in str(server.requests[0].headers)


def test_a_login_redirect_of_the_page_is_not_blamed_on_the_session() -> None:
    with serving({"/gentlemonster/": redirect(LOGIN)}) as server:
        seen = look(server, SESSION)
    assert (seen.finding, seen.learned, seen.with_session) == (Finding.UNANSWERED, SeatOutcome.WALL, False)


UNCLOSED = b'<script type="application/json"'


def _data(text: str) -> str:
    return f'<script type="application/json" data-sjs>{text}</script>'


def _script(text: str) -> Reply:
    return Reply(200, _data(text).encode(), HTML)


def restricted(notice: str) -> Reply:
    """The page of a query that found no account, with a notice."""
    return Reply(200, page(None).body + notice.encode(), HTML)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        pytest.param(redirect(LOGIN), "wall", id="login wall"),
        pytest.param(redirect("/challenge/"), "challenge", id="challenge"),
        pytest.param(redirect("http://[malformed"), "schema_drift", id="malformed redirect"),
        pytest.param(Reply(429, b"", HTML), "rate_limited", id="429"),
        pytest.param(failure(401, "Please wait a few minutes before you try again."), "rate_limited", id="401"),
        pytest.param(failure(400, "checkpoint_required"), "challenge", id="checkpoint"),
        pytest.param(failure(400, "feedback_required"), "challenge", id="feedback"),
        pytest.param(Reply(403, b"", HTML), "wall", id="403"),
        pytest.param(Reply(404, b"", HTML), "not_found", id="404"),
        pytest.param(Reply(502, b"<h1>Bad gateway</h1>", HTML), "upstream", id="502"),
        pytest.param(Reply(drop=True), "transport", id="dropped connection"),
        pytest.param(Reply(200, b"", HTML, after_s=2), "transport", id="no answer in time"),
        pytest.param(Reply(200, b"", HTML), "schema_drift", id="empty page"),
        pytest.param(Reply(200, b"\x1f\x8bgarbage", HTML, {"Content-Encoding": "gzip"}), "transport", id="bad gzip"),
        pytest.param(Reply(200, b"x" * 9_000_000, HTML), "schema_drift", id="too large"),
        pytest.param(Reply(200, b"<title>Login \xe2\x80\xa2 Instagram</title>", HTML), "wall", id="wall as a page"),
        pytest.param(page(None), "not_found", id="null"),
        pytest.param(restricted("<h2>Restricted profile</h2><p>You must be 18</p>"), "restricted", id="age limit"),
        pytest.param(restricted("<div><span> Restricted profile </span></div>"), "restricted", id="in a span"),
        pytest.param(restricted("<p>You must be 21 years old or over.</p>"), "restricted", id="only the age"),
        pytest.param(restricted(_data('{"title": "Restricted profile"}')), "restricted", id="in the data"),
        pytest.param(restricted("<p>Not a restricted profile</p>"), "not_found", id="the words inside a sentence"),
        pytest.param(page(user("gentlemonster", pk=...)), "schema_drift", id="no pk"),
        pytest.param(page(user("gentlemonster", pk="x")), "schema_drift", id="a pk that is none"),
        pytest.param(page(user("gentlemonster", username=...)), "schema_drift", id="no username"),
        pytest.param(page(user("gentlemonster", username=None)), "schema_drift", id="username null"),
        pytest.param(page(user("somebody_else")), "schema_drift", id="another account"),
        pytest.param(page(["list"]), "schema_drift", id="a list"),
        pytest.param(page("text"), "schema_drift", id="a text"),
        pytest.param(_script('{"xig_user_by_username": {"pk": '), "schema_drift", id="malformed JSON"),
        pytest.param(_script("[" * 50_000), "schema_drift", id="nested too deep"),
        pytest.param(_script('{"require": [{"__bbox": {"result": {"data": null}}}]}'), "schema_drift", id="data null"),
        pytest.param(Reply(200, UNCLOSED * 200_000, HTML), "schema_drift", id="slow to parse"),
    ],
)  # fmt: skip
def test_each_answer_has_its_outcome_in_one_request(reply: Reply, outcome: str) -> None:
    started = time.monotonic()
    with serving({"/gentlemonster/": reply}) as server:
        seen = look(server, timeout_s=1)
    assert (word(seen), seen.value) == (outcome, None)
    expected = {
        "not_found": SeatOutcome.OK,
        "restricted": SeatOutcome.OK,
        "schema_drift": SeatOutcome.UNCLEAR,
    }
    assert seen.learned == expected.get(outcome, outcome)
    assert server.paths == ["/gentlemonster/"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("head", "drop"), DRIPS)
def test_a_page_that_drips_is_given_up_on_in_time(head: bytes, drop: bytes) -> None:
    began = time.monotonic()
    with dripping(head, drop) as url:
        seen = attempt(HANDLER, LOOK, Identity(), before_send=lambda _: None, timeout_s=0.3, base_url=url)
        took_s = time.monotonic() - began
    assert word(seen) == "transport"
    assert took_s < 1.8


def test_a_refused_connection_is_transport() -> None:
    with serving({}) as server:
        pass
    assert word(look(server)) == "transport"


@pytest.mark.parametrize("biography", [None, 7, ["x"]])
def test_an_odd_biography_does_not_lose_the_profile(biography: Any) -> None:
    with serving({"/gentlemonster/": page(user("gentlemonster", biography=biography))}) as server:
        seen = look(server)
    assert seen.value is not None
    assert (seen.value.bio, seen.value.display_name) == (None, "젠틀몬스터")
    assert len(server.requests) == 1


def _legacy(**fields: Any) -> Reply:
    shown = {
        "id": "25025320",
        "username": "gentlemonster",
        "full_name": "GM",
        "biography": "eyewear",
    } | fields
    return Reply(200, json.dumps({"data": {"user": shown}, "status": "ok"}).encode())


def test_a_field_the_page_left_out_is_asked_for_once() -> None:
    with serving({"/gentlemonster/": page(user("gentlemonster", biography=...)), API: _legacy()}) as server:
        seen = look(server)
    assert seen.value is not None
    assert seen.value.bio == "eyewear"
    assert server.paths == ["/gentlemonster/", API]


@pytest.mark.parametrize(
    ("reply", "learned", "most_requests"),
    [
        (failure(401, "Please wait a few minutes before you try again."), "rate_limited", 2),
        (redirect("https://www.instagram.com/challenge/"), "challenge", 3),
        (redirect("https://www.instagram.com" + API), "unclear", 3),
        (Reply(404, b"{}"), "ok", 3),
        (Reply(404, b"Not Found"), "challenge", 3),
        (Reply(200, b'{"data": null, "status": "ok"}'), "unclear", 2),
        (Reply(200, b'for (;;);{"error":1357004}'), "unclear", 2),
        (Reply(200, b"<html>a page</html>", HTML), "unclear", 2),
        (Reply(200, b"[]"), "unclear", 2),
        (Reply(drop=True), "transport", 2),
    ],
)
def test_when_the_rest_is_refused_the_page_counts_and_the_seat_learns_the_outcome(
    reply: Reply, learned: str, most_requests: int
) -> None:
    shown = page(user("gentlemonster", biography=...))
    with serving({"/gentlemonster/": shown, API: reply, "/challenge/": reply}) as server:
        seen = look(server)
    assert seen.finding is Finding.FOUND
    assert seen.value is not None
    assert seen.value.bio is None
    assert seen.learned is SeatOutcome(learned)
    assert len(server.requests) <= most_requests


def test_only_the_completing_request_carries_the_session_and_is_held_against_it() -> None:
    shown = page(user("gentlemonster", biography=...))
    with serving({"/gentlemonster/": shown, "/graphql/query": redirect(LOGIN)}) as server:
        seen = look(server, SESSION)
    assert (seen.finding, seen.learned, seen.with_session) == (Finding.FOUND, SeatOutcome.LOGGED_OUT, True)
    carried = ["s3cret" in request.headers.get("cookie", "") for request in server.requests]
    assert carried == [False, True]


class NoSlot(Exception):
    """What a full window raises."""


def _counting(allowed: int) -> Any:
    hosts: list[str] = []

    def before_send(host: str) -> None:
        if len(hosts) == allowed:
            raise NoSlot
        hosts.append(host)

    return before_send


@pytest.mark.parametrize(("allowed", "requests_made"), [(0, 0), (1, 1)])
def test_nothing_is_sent_without_a_slot(allowed: int, requests_made: int) -> None:
    shown = page(user("gentlemonster", biography=...))
    with serving({"/gentlemonster/": shown}) as server:
        seen = attempt(
            HANDLER, LOOK, Identity(), before_send=_counting(allowed), timeout_s=5, base_url=server.url
        )
    assert len(server.requests) == requests_made
    assert seen.learned is (SeatOutcome.OK if allowed else None)


def test_a_challenge_that_leads_to_itself_ends_with_the_budget() -> None:
    loop = redirect("https://www.instagram.com/challenge/")
    with serving({"/challenge/": loop}) as server:
        adapter = GovernedAdapter(lambda _: None, budget=4, body_timeout_s=5, base_url=server.url)
        context = GovernedContext(adapter, timeout_s=5)
        with pytest.raises(BudgetSpent):
            context.get_json("challenge/", {})
        context.close()
        adapter.shut()
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://www.instagram.com/",
        "https://www.instagram.com:8443/",
        "https://user@www.instagram.com/",
        "https://www.instagram.com.evil.example/",
        "https://scontent-1.cdninstagram.com/x",
    ],
)
def test_a_session_never_leaves_instagrams_hosts(url: str) -> None:
    with serving({}) as server:
        adapter = GovernedAdapter(lambda _: None, budget=4, body_timeout_s=5, base_url=server.url)
        context = GovernedContext(adapter, timeout_s=5)
        context.load_session("pool_1", COOKIES)
        with pytest.raises(HostRefused):
            context._session.get(url)
        context.close()
    assert server.requests == []


def test_our_own_stops_are_not_answers_of_the_server() -> None:
    assert not issubclass(RequestStopped, InstaloaderException | requests.RequestException)


@pytest.mark.parametrize("refused", ["login", "load_session_from_file"])
def test_there_is_no_way_around_the_governor(refused: str) -> None:
    adapter = GovernedAdapter(lambda _: None, budget=4, body_timeout_s=5)
    with pytest.raises(RequestStopped):
        getattr(GovernedContext(adapter, timeout_s=5), refused)("user", "secret")


def test_closing_a_temporary_session_leaves_the_shared_connections_open() -> None:
    with serving({"/a/": page(None)}) as server:
        adapter = GovernedAdapter(lambda _: None, budget=4, body_timeout_s=5, base_url=server.url)
        context = GovernedContext(adapter, timeout_s=5)
        for _ in range(3):
            context.get_page_data("a/")
        context.close()
        assert len(adapter.poolmanager.pools) == 1
        adapter.shut()
        assert len(adapter.poolmanager.pools) == 0


@pytest.mark.parametrize("identity", [Identity(), SESSION], ids=["anonymous", "session"])
def test_every_request_goes_through_the_seats_own_proxy(identity: Identity) -> None:
    shown = page(user("gentlemonster", biography=...))
    answers: dict[str, Reply | Sequence[Reply]] = {"/gentlemonster/": shown, API: _legacy()}
    with serving(answers) as proxy:
        proxied = Identity(identity.account, identity.cookies, proxy.url.replace("://", "://user:pass@"))
        seen = attempt(
            HANDLER,
            LOOK,
            proxied,
            before_send=lambda _: None,
            timeout_s=5,
            base_url="http://not-reached-directly.invalid",
        )
    assert seen.value is not None
    assert len(proxy.requests) >= 2
    expected = "Basic " + base64.b64encode(b"user:pass").decode()
    assert {request.headers.get("proxy-authorization") for request in proxy.requests} == {expected}


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving({"/gentlemonster/": page(user("gentlemonster"))}) as server:
        assert look(server).finding is Finding.FOUND


def test_nothing_is_printed_written_or_said_that_is_secret(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = Identity("pool_1", COOKIES, "http://user:pass@127.0.0.1:9")
    with serving({}) as server:
        seen = look(server, secret)
    assert word(seen) == "transport"
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert not any(word in f"{seen}{secret}" for word in ("pass", "s3cret"))


def test_a_page_that_shows_another_account_says_so() -> None:
    with serving({"/gentlemonster/": page(user("somebody_else"))}) as server:
        seen = look(server)
    assert (seen.value, seen.detail) == (None, "HTTP 200: the page shows another account.")


def test_a_bio_about_restricted_profiles_restricts_nothing() -> None:
    shown = user("gentlemonster", biography="Restricted profile")
    with serving({"/gentlemonster/": page(shown)}) as server:
        assert look(server).finding is Finding.FOUND
    with serving({"/gentlemonster/": page({**shown, "pk": "x"})}) as server:
        assert word(look(server)) == "schema_drift"
