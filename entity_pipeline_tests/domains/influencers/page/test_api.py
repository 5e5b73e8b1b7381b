"""The API of the influencers' figures: the same as the page shows, for programs."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from entity_pipeline_tests.domains.influencers.page.page_data import BATCH, fill_page

V1 = "/api/v1/influencers"


@pytest.mark.parametrize("path", ["scheduler", "blogs", "blogs/x", "counts/tasks", "batches", "budget"])
def test_no_figure_is_shown_without_the_token(client: TestClient, path: str) -> None:
    assert client.get(f"{V1}/{path}").status_code == 401


def test_the_figures_are_those_of_the_page(api: TestClient, assets: Any) -> None:
    fill_page(assets)
    scheduler = api.get(f"{V1}/scheduler").json()
    assert (scheduler["waiting"], scheduler["running"], scheduler["is_enabled"]) == (6, 1, False)
    counts = api.get(f"{V1}/counts/tasks").json()["counts"]
    assert counts["ai_analysis"] == {"pending": 0, "running": 1, "done": 0, "failed": 1}
    blogs = api.get(f"{V1}/counts/blogs").json()
    assert (blogs["total"], blogs["categories"]) == (8, {"art": 1, "home": 1})
    money = api.get(f"{V1}/batches").json()
    assert [(batch["name"], batch["is_overdue"]) for batch in money["batches"]][:1] == [(BATCH, True)]
    assert money["today_usd"] == "0.001800"
    assert api.get(f"{V1}/budget").json()["used"] == 3


def test_a_list_goes_on_from_its_cursor(api: TestClient, assets: Any) -> None:
    fill_page(assets)
    names, cursor = [], None
    while True:
        page = api.get(f"{V1}/blogs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        names += [row["username"] for row in page["rows"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(names) == len(set(names)) == 8
    foreign = api.get(f"{V1}/blogs", params={"limit": 3}).json()["next_cursor"]
    assert api.get(f"{V1}/blogs", params={"sort": "er", "cursor": foreign}).status_code == 422


def test_one_blog_has_each_statement_with_what_it_rests_on(api: TestClient, assets: Any) -> None:
    fill_page(assets)
    found = api.get(f"{V1}/blogs/mira.makes").json()
    lifestyle = next(group for group in found["insights"]["groups"] if group["group"] == "lifestyle")
    pets = lifestyle["statements"][0]
    assert pets["values"][0]["value"] is True
    assert pets["values"][0]["marks"][0] == {
        "name": "C0deA1",
        "address": "https://www.instagram.com/p/C0deA1/",
    }
    assert found["measures"]["why"]["er_reels"] == "too_few_posts"
    assert found["cost_usd"] == "0.001800"
    assert api.get(f"{V1}/blogs/no.such.name").status_code == 404
    hostile = api.get(f"{V1}/blogs/hostile.madeup").json()
    assert (hostile["external_url"], hostile["posts"][0]["address"]) == (None, None)
