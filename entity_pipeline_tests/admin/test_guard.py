"""Headers, hosts and sizes: what holds for every answer."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from entity_pipeline.admin.guard import LARGEST_BODY_BYTES
from entity_pipeline_tests.admin.installations import ORIGIN

PATHS = ["/api/v1/health", "/api/v1/queue", "/admin/nothing-here", "/nothing", "/api/v1/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    for directive in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' https://pictures.example;",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert directive in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example", "[::2]"]
)
def test_an_unknown_host_name_is_not_served(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/health", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:3080", "LOCALHOST", "[::1]:3080", "127.0.0.1"])
def test_our_own_host_names_are_served_with_and_without_a_port(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/health", headers={"Host": host}).status_code == 200


def test_a_large_body_is_refused_whether_declared_or_not(app: FastAPI) -> None:
    client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
    large = b"token=" + b"x" * LARGEST_BODY_BYTES
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/admin/sign-in", content=large, headers=form).status_code == 413
    assert client.post("/admin/sign-in", content=iter([large]), headers=form).status_code in (400, 413, 422)
