"""Every answer that was seen or proved, and what it is taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.access import ProfileOutcome
from entity_pipeline.resources.instagram.outcomes import Answer, Ending, judge

HTML, JSON = "text/html; charset=utf-8", "application/json; charset=utf-8"
LOGIN = "https://www.instagram.com/accounts/login/?next=%2Fnobody%2F"
BIG = "x" * 5_000


def json_body(message: str) -> str:
    return f'{{"message": "{message}", "status": "fail"}}'


@pytest.mark.parametrize(
    ("answer", "ending", "expected"),
    [
        (Answer(200), "read", "found"),
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
        (Answer(200, body='{"xig_user_by_username": null}'), "unreadable", "not_found"),
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
            Answer(200, body='{"xig_user_by_username": {"username": "x"}} /accounts/login/'),
            "unreadable",
            "schema_drift",
        ),
        (
            Answer(200, body='{"xig_user_v2": {"biography": "x"}, "xig_user_by_username": null}'),
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
def test_the_last_answer_decides(answer: Answer | None, ending: str, expected: str) -> None:
    assert judge(answer, Ending(ending)) is ProfileOutcome(expected)


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
    st.sampled_from([ending for ending in Ending if ending is not Ending.READ]),
)
def test_no_answer_is_too_odd_and_none_is_taken_for_a_profile(answer: Answer, ending: Ending) -> None:
    assert judge(answer, ending) in set(ProfileOutcome) - {ProfileOutcome.FOUND, ProfileOutcome.DEFERRED}
