"""Every known answer, by the kind of call it answers, and how it is judged."""

import html
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.resources.instagram.answers import Answer, Ending
from entity_pipeline.resources.instagram.judging import Call, DataCall, Verdict, judge
from entity_pipeline.resources.instagram.operations.profile import PAGE

HTML, JSON = "text/html; charset=utf-8", "application/json; charset=utf-8"
LOGIN = "https://www.instagram.com/accounts/login/?next=%2Fnobody%2F"
BIG = "x" * 5_000
LOGIN_LINK = '<a href="/accounts/login/">Log in</a>'


def script(data: str) -> str:
    return f'<script type="application/json" data-sjs>{data}</script>'


def json_body(message: str) -> str:
    return f'{{"message": "{message}", "status": "fail"}}'


@pytest.mark.parametrize(
    ("answer", "ending", "expected"),
    [
        # redirects
        (Answer(302, "/x/", LOGIN), "unreadable", "wall"),
        (Answer(302, "/x/", LOGIN, with_session=True), "unreadable", "logged_out"),
        (Answer(302, "/x/", "/accounts/login/"), "unreadable", "wall"),
        (Answer(200, "/accounts/login/", content_type=HTML), "unreadable", "wall"),
        (Answer(302, "/x/", "https://www.instagram.com/challenge/"), "budget", "challenge"),
        (Answer(302, "/x/", "https://i.instagram.com/challenge/?a=1"), "unreadable", "challenge"),
        (Answer(301, "/x/", "/checkpoint/1/"), "unreadable", "challenge"),
        (Answer(302, "/x/", "/accounts/suspended/", with_session=True), "unreadable", "suspended"),
        (Answer(302, "/x/", "https://elsewhere.example/"), "unreadable", "schema_drift"),
        (Answer(302, "/x/", "http://[malformed"), "unreadable", "schema_drift"),
        # statuses
        (Answer(429), "unreadable", "rate_limited"),
        (Answer(429), "transport", "rate_limited"),
        (
            Answer(401, content_type=JSON, body=json_body("Please wait a few minutes before you try again.")),
            "unreadable",
            "rate_limited",
        ),
        (Answer(401, content_type=JSON, body=json_body("login_required")), "unreadable", "wall"),
        (
            Answer(401, content_type=JSON, body=json_body("login_required"), with_session=True),
            "unreadable",
            "logged_out",
        ),
        (
            Answer(403, content_type=JSON, body=json_body("login_required"), with_session=True),
            "unreadable",
            "logged_out",
        ),
        (Answer(403, content_type=HTML), "unreadable", "wall"),
        (Answer(400, content_type=JSON, body=json_body("checkpoint_required")), "unreadable", "challenge"),
        (Answer(400, content_type=JSON, body=json_body("challenge_required")), "unreadable", "challenge"),
        (Answer(400, content_type=JSON, body=json_body("feedback_required")), "unreadable", "challenge"),
        (Answer(400, content_type=JSON, body='{"spam": true}'), "unreadable", "rate_limited"),
        (Answer(400, content_type=HTML), "unreadable", "schema_drift"),
        (Answer(404), "unreadable", "not_found"),
        (Answer(410), "unreadable", "not_found"),
        (Answer(404, content_type=HTML, body=BIG + "checkpoint_required"), "unreadable", "not_found"),
        (Answer(500), "unreadable", "upstream"),
        (Answer(503, content_type=HTML, body="/accounts/login/"), "unreadable", "upstream"),
        # a 200 in which no profile was found
        (Answer(200, body=script('{"xig_user_by_username": null}')), "unreadable", "not_found"),
        (
            Answer(200, body=BIG + "<h2>Sorry, this page isn't available.</h2> /accounts/login/"),
            "unreadable",
            "not_found",
        ),
        (Answer(200, body="<title>Login • Instagram</title>"), "unreadable", "wall"),
        (Answer(200, body='<form id="loginForm"> {"xig_user_by_username":null}'), "unreadable", "wall"),
        (Answer(200, body='<a href="/accounts/login/">Log in</a>'), "unreadable", "wall"),
        (Answer(200, body='<form action="/challenge/1/">'), "unreadable", "challenge"),
        (Answer(200, body="Please wait a few minutes before you try again."), "unreadable", "rate_limited"),
        (
            Answer(200, body=script('{"xig_user_by_username": {"username": "x"}}') + LOGIN_LINK),
            "unreadable",
            "schema_drift",
        ),
        (
            Answer(200, body=script('{"xig_user_v2": {"biography": "x"}, "xig_user_by_username": null}')),
            "unreadable",
            "schema_drift",
        ),
        (Answer(200, body="<html></html>"), "unreadable", "schema_drift"),
        (Answer(200, body=""), "unreadable", "schema_drift"),
        (Answer(200, content_type=JSON, body='{"data": null}'), "unreadable", "schema_drift"),
        (Answer(200, content_type=JSON, body='{"message":"login_required"}'), "unreadable", "wall"),
        # no answer, or not all of it
        (None, "transport", "transport"),
        (None, "unreadable", "transport"),
        (None, "budget", "budget"),
        (Answer(200), "transport", "transport"),
        (Answer(200), "budget", "budget"),
    ],
)
def test_the_last_answer_decides_about_a_page(answer: Answer | None, ending: str, expected: str) -> None:
    verdict = judge(PAGE, answer, Ending(ending))
    assert word(verdict) == expected
    assert verdict.seat is SEAT_OF_FINDING.get(verdict.finding, verdict.seat)


SEAT_OF_FINDING = {
    Finding.NOT_FOUND: SeatOutcome.OK,
    Finding.PRIVATE: SeatOutcome.OK,
    Finding.DRIFT: SeatOutcome.UNCLEAR,
    Finding.BUDGET: SeatOutcome.UNCLEAR,
}


def word(verdict: Verdict) -> str:
    return str(verdict.seat if verdict.finding is Finding.UNANSWERED else verdict.finding)


# The rows of the table in section b of the facts, as JSON calls meet them; `s` marks a request with a session.
@pytest.mark.parametrize(
    ("status", "body", "session", "expected"),
    [
        pytest.param(200, '{"data": null, "status": "ok"}', "s", "schema_drift", id="data null proves nothing"),
        pytest.param(
            200, '{"data": null, "errors": [{"message": "Incorrect Query", "code": 1675002}], "status": "ok"}', "s",
            "schema_drift", id="a retired query",
        ),
        pytest.param(200, '{"errors": [{"message": "Rate limit exceeded"}]}', "s", "rate_limited", id="limit"),
        pytest.param(200, '{"errors": ["checkpoint_required"]}', "s", "challenge", id="errors as texts"),
        pytest.param(200, 'for (;;);{"error": 1357004}', "s", "schema_drift", id="stale tokens"),
        pytest.param(200, "<html><title>Instagram</title></html>", "s", "schema_drift", id="HTML for JSON"),
        pytest.param(200, '<form id="loginForm"></form>', "s", "logged_out", id="a login page for JSON"),
        pytest.param(200, '<form id="loginForm"></form>', "", "wall", id="a login page for JSON, without a session"),
        pytest.param(200, "[]", "s", "schema_drift", id="a list"),
        pytest.param(400, '{"message": "invalid request", "status": "fail"}', "s", "schema_drift", id="bad variables"),
        pytest.param(400, '{"message": "Not authorized to view user", "status": "fail"}', "s", "private", id="private"),
        pytest.param(404, '{"message": "", "status": "fail"}', "s", "not_found", id="404 as JSON"),
        pytest.param(404, "{}", "", "not_found", id="404 as an empty object"),
        pytest.param(404, "Not Found", "s", "challenge", id="a bare 404 is a masked challenge"),
        pytest.param(404, "Not Found\n", "", "challenge", id="a bare 404 without a session"),
        pytest.param(404, "<html>Not Found</html>", "s", "schema_drift", id="another 404"),
        pytest.param(404, "", "s", "schema_drift", id="an empty 404"),
        pytest.param(400, json_body("checkpoint_required"), "s", "challenge", id="checkpoint"),
        pytest.param(400, json_body("challenge_required"), "s", "challenge", id="challenge"),
        pytest.param(400, '{"message": "feedback_required", "spam": true}', "s", "challenge", id="feedback"),
        pytest.param(400, '{"error_type": "checkpoint_challenge_required"}', "s", "challenge", id="error_type"),
        pytest.param(
            400, '{"message": "", "checkpoint_url": "https://www.instagram.com/accounts/suspended/?n=1"}', "s",
            "suspended", id="suspended",
        ),
        pytest.param(400, '{"spam": true}', "s", "rate_limited", id="spam"),
        pytest.param(
            401, '{"message": "Please wait a few minutes before you try again.", "require_login": true}', "s",
            "rate_limited", id="please wait, although it asks for a login",
        ),
        pytest.param(401, '{"require_login": true}', "s", "logged_out", id="require_login"),
        pytest.param(403, json_body("login_required"), "s", "logged_out", id="login_required"),
        pytest.param(403, json_body("login_required"), "", "wall", id="login_required without a session"),
        pytest.param(200, '{"message": "login_required", "status": "fail"}', "s", "logged_out", id="a failure as 200"),
        pytest.param(429, "", "s", "rate_limited", id="429"),
        pytest.param(503, '{"message": "login_required"}', "s", "upstream", id="5xx"),
        pytest.param(400, "<p>Please wait a few minutes, please.</p>", "s", "rate_limited", id="an error page"),
    ],
)  # fmt: skip
def test_a_json_answer_is_judged_by_its_own_keys(status: int, body: str, session: str, expected: str) -> None:
    answer = Answer(status, "/api/v1/x/", content_type=JSON, body=body, with_session=bool(session))
    assert word(judge(DataCall(), answer, Ending.UNREADABLE)) == expected


HOSTILE = (
    "rate limit", "please wait a few minutes", "login_required", "checkpoint_required", "feedback_required",
    "require_login", '"spam":true', "accounts/suspended", "this page isn't available", 'name="password"',
    '<form id="loginForm">', '<form action="/challenge/1/">', '{"message":"checkpoint_required"}',
)  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("call", [DataCall(), PAGE], ids=["data", "page"])
def test_words_of_strangers_never_concern_the_seat(call: Call, hostile: str) -> None:
    """The caption or bio is inside an unreadable answer, whole and cut off."""
    media = {
        "caption": {"text": hostile},
        "message": hostile,
        "user": {"full_name": hostile, "biography": hostile},
    }
    data = json.dumps({"data": {"items": [media], "error_type": hostile}, "message": hostile, "status": "ok"})
    escaped = html.escape(hostile)
    page = (
        f'<title>{escaped} (@x) • Instagram photos</title><meta content="{escaped}"><h1>{escaped}</h1>'
        + script(data.replace("</", "<\\/"))
    )
    for body in (data, data[:-20], "for (;;);" + data, page, page[:-30]):
        for status in (200,) if body.startswith("<") else (200, 400):
            verdict = judge(
                call,
                Answer(status, "/x/", content_type=JSON, body=body, with_session=True),
                Ending.UNREADABLE,
            )
            assert verdict.seat is SeatOutcome.UNCLEAR, (status, body)


@given(
    st.builds(
        Answer,
        status=st.integers(100, 599),
        path=st.text(),
        location=st.text(),
        content_type=st.sampled_from([HTML, JSON, ""]),
        body=st.text(),
        with_session=st.booleans(),
    ),
    st.sampled_from(list(Ending)),
    st.sampled_from([PAGE, DataCall()]),
)
def test_no_answer_breaks_the_judgement_and_none_is_taken_for_a_find(
    answer: Answer, ending: Ending, call: Call
) -> None:
    verdict = judge(call, answer, ending)
    assert verdict.finding is not Finding.FOUND
    assert (verdict.finding is Finding.UNANSWERED) is (
        verdict.seat not in (SeatOutcome.OK, SeatOutcome.UNCLEAR)
    )


@pytest.mark.parametrize(
    "body", ["<script" * 300_000, "<a " * 600_000, "<h1>" * 500_000, "<title " * 300_000]
)
def test_a_page_built_to_keep_a_parser_busy_is_judged_at_once(body: str) -> None:
    began = time.monotonic()
    judge(PAGE, Answer(200, content_type=HTML, body=body[:2_000_000]), Ending.UNREADABLE)
    assert time.monotonic() - began < 2
