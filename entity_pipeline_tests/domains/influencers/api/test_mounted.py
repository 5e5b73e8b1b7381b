"""The API on the administration page's server: its own key, beside the token of the pages."""

import pytest
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.installation import Installation
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.domains.influencers.api.routes import LARGEST_SCRAPE_BYTES
from entity_pipeline_tests.admin.installations import BEARER as ADMIN_BEARER
from entity_pipeline_tests.admin.installations import CONFIGURATION, ORIGIN, installation
from entity_pipeline_tests.domains.influencers.api.conftest import BEARER, KEY

__all__ = ["installation"]
PREFIXES = ["/api", "/api/v1/influencers"]


@pytest.fixture
def client(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("SCRAPER_API_KEY", KEY)
    app = create_app(DOMAINS, installation, CONFIGURATION)
    return TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_its_own_key_opens_it_and_the_token_of_the_pages_does_not(client: TestClient, prefix: str) -> None:
    assert client.get(f"{prefix}/health").status_code == 200
    assert client.get(f"{prefix}/tasks", headers=ADMIN_BEARER).status_code == 401
    assert client.get(f"{prefix}/tasks", headers=BEARER).status_code == 200
    made = client.post(f"{prefix}/tasks/scrape", headers=BEARER, json={"usernames": ["ada"]})
    assert [one["username"] for one in made.json()["created"]] == ["ada"]


def test_the_key_does_not_open_the_pages_and_wrong_ones_do_not_close_them(client: TestClient) -> None:
    assert client.get("/api/v1/domains", headers=BEARER).status_code == 401
    for _ in range(10):
        client.get("/api/tasks", headers={"Authorization": "Bearer wrong"})
    assert client.get("/api/tasks", headers=BEARER).status_code == 429
    assert client.get("/api/v1/domains", headers=ADMIN_BEARER).status_code == 200


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_long_list_of_people_fits_there_too(client: TestClient, prefix: str) -> None:
    body = b'{"usernames":["ada"]}'.ljust(LARGEST_SCRAPE_BYTES)
    headers = {**BEARER, "content-type": "application/json"}
    assert client.post(f"{prefix}/tasks/scrape", content=body, headers=headers).status_code == 202
    assert client.post(f"{prefix}/tasks/scrape", content=body + b" ", headers=headers).status_code == 413


def test_without_a_key_the_pages_are_served_all_the_same(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCRAPER_API_KEY", raising=False)
    client = TestClient(create_app(DOMAINS, installation, CONFIGURATION), base_url=ORIGIN)
    assert client.get("/api/v1/domains", headers=ADMIN_BEARER).status_code == 200
    assert client.get("/api/tasks", headers=ADMIN_BEARER).status_code == 503
