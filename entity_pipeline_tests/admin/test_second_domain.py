"""A second domain's page appears without a change of the shell, and its faults affect nothing else."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.paths import HOME_PATH
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.domains.entities.page.addresses import PAGE_PATH
from entity_pipeline_tests.admin.installations import CONFIGURATION, api_of, signed_in
from entity_pipeline_tests.admin.second_domain import write_second_domain
from entity_pipeline_tests.admin.test_metrics import scraped

SHOPS = "/admin/data-pipeline/made-up-shops"
FAULTS = ["read", "template", "away"]


@pytest.fixture
def shops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The made-up domain."""
    write_second_domain(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("made_up_shops.domain").shops
    for name in [name for name in sys.modules if name.startswith("made_up_shops")]:
        del sys.modules[name]


@pytest.fixture
def both(shops: Any, installation: Installation) -> FastAPI:
    """The shell with the installed domains and the made-up one."""
    return create_app([*DOMAINS, shops], installation, CONFIGURATION)


@pytest.fixture
def person(both: FastAPI) -> TestClient:
    return signed_in(both)


def break_it(both: FastAPI, fault: str) -> None:
    both.state.shell.page("made_up_shops").page.fault = fault


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Shops", "Shelf", "3 things", "4 things"]), ("ko", ["가게", "진열대", "물건 3개", "물건 4개"])],
)
def test_its_parts_are_shown_in_both_languages(person: TestClient, language: str, words: list[str]) -> None:
    page = person.get(f"{SHOPS}?lang={language}")
    assert page.status_code == 200
    assert [word for word in words if word not in page.text] == []


def test_a_part_of_it_is_drawn_alone_for_htmx(person: TestClient) -> None:
    part = person.get(SHOPS, headers={"HX-Request": "true", "HX-Target": "till-now"}).text
    assert "4 things" in part
    assert "<html" not in part
    assert "Shelf" not in part


def test_its_routes_its_api_and_its_metric_are_there(both: FastAPI, person: TestClient) -> None:
    assert "<h1>corner</h1>" in person.get(f"{SHOPS}/shop/corner").text
    api = api_of(both)
    assert api.get("/api/v1/made_up_shops/shops").json() == ["corner"]
    assert "/api/v1/made_up_shops/shops" in api.get("/api/v1/openapi.json").json()["paths"]
    found = scraped(api)
    assert (found["made_up_shops_things",], found["up", "made_up_shops"]) == (5, 1)
    assert found["gate_open", "made_up_shops"] == 0


def test_without_the_token_its_api_is_closed_and_its_pages_lead_to_signing_in(both: FastAPI) -> None:
    stranger = TestClient(both, base_url="http://127.0.0.1:3080", follow_redirects=False)
    assert stranger.get("/api/v1/made_up_shops/shops").status_code == 401
    assert stranger.get(SHOPS).status_code == 303
    assert stranger.get(f"{SHOPS}/shop/corner").status_code == 303


def test_the_first_page_has_its_row_and_its_switch(
    both: FastAPI, person: TestClient, assets: psycopg.Connection[Any]
) -> None:
    home = person.get(f"{HOME_PATH}?lang=ko").text
    assert f'<a href="{SHOPS}">가게</a>' in home
    assert "주문 7건" in home
    assert "인스타그램 계정" in home
    form = {"is_enabled": "true", "updated_at": "", "next": HOME_PATH}
    csrf = home.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = person.post(f"{SHOPS}/-/switch", data={**form, "csrf_token": csrf})
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"{HOME_PATH}?done=on&domain=made_up_shops",
    )
    row = "select is_enabled, updated_by from pipeline_settings where platform = 'made_up_shops'"
    assert assets.execute(row).fetchone() == (True, "page:Min-ji")
    others = "select count(*) from pipeline_settings where platform = 'entity_enrichment' and is_enabled"
    assert assets.execute(others).fetchone() == (0,)
    assert "가게: 켰습니다." in person.get(answer.headers["location"]).text


def test_its_settings_are_a_form_by_their_model(
    person: TestClient, assets: psycopg.Connection[Any], both: FastAPI
) -> None:
    page = person.get(f"{SHOPS}/-/settings?lang=en").text
    assert "Number of shelves" in page
    csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = {"csrf_token": csrf, "was.shelves": "3", "shelves": "4", "updated_at": ""}
    assert person.post(f"{SHOPS}/-/settings", data={**sent, "shelves": "0"}).status_code == 422
    assert person.post(f"{SHOPS}/-/settings", data=sent).status_code == 303
    stored = assets.execute(
        "select settings from pipeline_settings where platform = 'made_up_shops'"
    ).fetchone()
    assert stored == ({"shelves": 4},)
    names = [row["name"] for row in api_of(both).get("/api/v1/settings").json()]
    assert "made_up_shops" in names


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_part_leaves_the_others(both: FastAPI, person: TestClient, fault: str) -> None:
    break_it(both, fault)
    page = person.get(SHOPS)
    assert page.status_code == 200
    assert "3 things" in page.text
    assert "The till can&#39;t be read." in page.text
    assert ("database can&#39;t be reached" in page.text) == (fault == "away")
    assert "a secret of the shop" not in page.text
    alone = person.get(SHOPS, headers={"HX-Request": "true", "HX-Target": "till-now"})
    assert (alone.status_code, "The till can&#39;t be read." in alone.text) == (200, True)


def test_a_broken_domain_leaves_the_first_page_the_other_pages_and_the_metrics(
    both: FastAPI, person: TestClient
) -> None:
    break_it(both, "read")
    home = person.get(HOME_PATH)
    assert home.status_code == 200
    assert "0 accounts" in home.text
    assert '<a href="/admin/data-pipeline/made-up-shops">Shops</a>' in home.text
    assert "7 orders" not in home.text
    assert "a secret of the shop" not in home.text
    assert person.get(PAGE_PATH).status_code == 200
    found = scraped(api_of(both))
    assert (found["up", "made_up_shops"], found["up", "entities"]) == (0, 1)
    assert ("made_up_shops_things",) not in found
    assert api_of(both).get("/api/v1/quota").json()["forecast"] is None
