"""Signing in, the cookie, the limit on attempts, and the token that every change carries."""

import re

import pytest
from fastapi import FastAPI
from itsdangerous import URLSafeTimedSerializer
from starlette.testclient import TestClient

from entity_pipeline.admin import access as access_module
from entity_pipeline.admin.access import Access, TooManyTries, Tries, link_key
from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.paths import (
    HOME_PATH,
    PAGES_PATH,
    SIGN_IN_LINK_PATH,
    SIGN_IN_PATH,
    SIGN_OUT_PATH,
    own_path,
)
from entity_pipeline.assembly import DOMAINS
from entity_pipeline_tests.admin.installations import ORIGIN, TOKEN


def sign_in(client: TestClient, token: str = TOKEN, **form: str) -> str:
    """Sign in; returns where the answer sends the browser."""
    answer = client.post(SIGN_IN_PATH, data={"token": token, "name": "Min-ji", **form})
    assert answer.status_code == 303
    return str(answer.headers["location"])


def test_the_right_token_gives_a_cookie_that_no_script_reads_and_no_other_site_posts_with(
    client: TestClient,
) -> None:
    answer = client.post(SIGN_IN_PATH, data={"token": TOKEN, "name": "Min-ji"})
    assert answer.headers["location"] == HOME_PATH
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "max-age=43200" in cookie
    assert TOKEN not in answer.headers["set-cookie"]


def test_a_wrong_token_gives_no_cookie(client: TestClient) -> None:
    answer = client.post(SIGN_IN_PATH, data={"token": TOKEN + "x", "name": "Min-ji"})
    assert answer.headers["location"] == f"{SIGN_IN_PATH}?problem=token"
    assert "set-cookie" not in answer.headers


def test_after_five_wrong_tokens_even_the_right_one_waits(client: TestClient) -> None:
    for _ in range(5):
        sign_in(client, "wrong-token-wrong-token")
    assert sign_in(client) == f"{SIGN_IN_PATH}?problem=tries"


def test_wrong_bearer_tokens_count_as_tries_as_well(client: TestClient) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    statuses = [client.get("/api/v1/queue", headers=wrong).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_tries_are_forgotten_after_five_minutes_and_count_by_address_and_in_all() -> None:
    now = [0.0]
    tries = Tries(lambda: now[0])
    for nth in range(30):
        tries.check(f"10.0.0.{nth}")
        tries.failed(f"10.0.0.{nth}")
    with pytest.raises(TooManyTries) as refused:
        tries.check("10.0.0.99")
    assert 0 < refused.value.retry_after_s <= 301
    now[0] = 301.0
    tries.check("10.0.0.99")


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "eyJuYW1lIjoieCIsImlkIjoieSJ9.aaaa.bbbb"])
def test_a_forged_cookie_signs_no_one_in(app: FastAPI, cookie: str) -> None:
    client = TestClient(app, base_url=ORIGIN, cookies={"entity_pipeline": cookie}, follow_redirects=False)
    assert client.post(SIGN_OUT_PATH, data={"csrf_token": "x"}).status_code == 303


def test_a_cookie_of_another_token_or_an_old_one_signs_no_one_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, others = Access(AdminConfiguration(TOKEN)), Access(AdminConfiguration("another-token-also-long"))
    cookie = others.sign_in("another-token-also-long", "x", "a")
    assert cookie is not None
    assert ours.session_of(request_with(ours, cookie)) is None
    good = ours.sign_in(TOKEN, "x", "a")
    assert good is not None
    assert ours.session_of(request_with(ours, good)) is not None
    monkeypatch.setattr(access_module, "SESSION_LASTS_S", -1)
    assert ours.session_of(request_with(ours, good)) is None


def test_the_key_of_the_cookie_is_not_the_token(client: TestClient) -> None:
    sign_in(client)
    cookie = client.cookies["entity_pipeline"]
    for key in (TOKEN, TOKEN.encode()):
        assert not URLSafeTimedSerializer(key, salt="entity_pipeline.admin").loads_unsafe(cookie)[0]


def request_with(access: Access, cookie: str, **headers: str):  # type: ignore[no-untyped-def]
    from starlette.requests import Request

    raw = [(b"cookie", f"{access.cookie_name}={cookie}".encode())]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "method": "GET", "path": "/"})


def test_signing_out_needs_the_sessions_token_and_ends_a_copied_cookie(
    client: TestClient, app: FastAPI
) -> None:
    sign_in(client)
    cookie = client.cookies["entity_pipeline"]
    assert client.post(SIGN_OUT_PATH, data={"csrf_token": "0" * 64}).status_code == 403
    visitor = app.state.access.session_of(request_with(app.state.access, cookie))
    assert client.post(SIGN_OUT_PATH, data={"csrf_token": visitor.csrf_token}).status_code == 303
    assert app.state.access.session_of(request_with(app.state.access, cookie)) is None


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil", "/admin/..//x", "", "javascript:1"]
)
def test_signing_in_never_leads_to_another_site(client: TestClient, path: str) -> None:
    assert own_path(path) == HOME_PATH
    assert sign_in(client, next=path) == HOME_PATH


def test_behind_a_proxy_the_cookie_needs_tls_and_the_named_header_gives_the_name(
    installation: Installation,
) -> None:
    configuration = AdminConfiguration(TOKEN, behind_proxy=True, user_header="x-user")
    access = Access(configuration)
    client = TestClient(
        create_app(DOMAINS, installation, configuration), base_url=ORIGIN, follow_redirects=False
    )
    set_cookie = client.post(SIGN_IN_PATH, data={"token": TOKEN, "name": "x"}).headers["set-cookie"]
    assert re.match(r"__Host-entity_pipeline=", set_cookie)
    assert "Secure" in set_cookie
    cookie = access.sign_in(TOKEN, "x", "a")
    assert cookie is not None
    visitor = access.session_of(request_with(access, cookie, x_user="Min-ji"))
    assert visitor is not None
    assert visitor.name == "Min-ji"


def test_without_that_option_no_header_gives_the_name() -> None:
    access = Access(AdminConfiguration(TOKEN))
    cookie = access.sign_in(TOKEN, "x", "a")
    assert cookie is not None
    visitor = access.session_of(request_with(access, cookie, x_user="Min-ji", x_forwarded_user="Min-ji"))
    assert visitor is not None
    assert visitor.name == "x"


def test_a_printed_link_signs_in_once_and_only_where_its_token_is(client: TestClient) -> None:
    key = link_key(TOKEN, "mina")
    first = client.get(f"{SIGN_IN_LINK_PATH}?key={key}", follow_redirects=False)
    assert first.headers["location"] == HOME_PATH
    assert "mina" in client.get(HOME_PATH).text
    client.cookies.clear()
    for used in (key, link_key("another-token-that-is-long", "mina"), "", "x"):
        again = client.get(f"{SIGN_IN_LINK_PATH}?key={used}", follow_redirects=False)
        assert again.headers["location"] == SIGN_IN_PATH
    assert client.get(HOME_PATH, follow_redirects=False).status_code == 303


def test_the_bare_address_leads_to_the_home_page(client: TestClient) -> None:
    for path in ("/", f"{HOME_PATH}/", PAGES_PATH, f"{PAGES_PATH}/"):
        assert client.get(path, follow_redirects=False).headers["location"] == HOME_PATH, path
