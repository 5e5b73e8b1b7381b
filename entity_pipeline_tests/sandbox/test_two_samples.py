"""One pair of stand-ins serves the samples of several domains, each with its own data."""

from collections.abc import Iterator

import pytest
import requests

from entity_pipeline.domains.influencers.insights.prompts import blog_prompt
from entity_pipeline.domains.influencers.sample.scripts import top_posts
from entity_pipeline_tests.standins import GeminiStandin, InstagramStandin

SESSION = {"Authorization": "Bearer IGT:2:simulated"}


@pytest.fixture(scope="module")
def instagram() -> Iterator[InstagramStandin]:
    with InstagramStandin(latency_ms=0) as server:
        yield server


def test_accounts_of_both_samples_have_pages(instagram: InstagramStandin) -> None:
    for username in ("prada", "dalbit.bakery.madeup"):
        page = requests.get(f"{instagram.url}/{username}/", timeout=5)
        assert page.status_code == 200
        assert f'"username": "{username}"' in page.text


def test_hashtags_of_a_sample_are_served_beside_the_invented_ones(instagram: InstagramStandin) -> None:
    def count(tag: str) -> int:
        path = f"{instagram.url}/api/v1/tags/web_info/?tag_name={tag}"
        sections = requests.get(path, headers=SESSION, timeout=10).json()["data"]["top"]["sections"]
        content = [section["layout_content"] for section in sections]
        mixed = [one for one in content if "fill_items" in one]
        return sum(len(one.get("medias", ())) for one in content) + sum(
            len(one["fill_items"]) + len(one["one_by_two_item"]["clips"]["items"]) for one in mixed
        )

    assert count("달토끼맛집") == len(top_posts()["달토끼맛집"])
    assert count("ootd") > 0
    assert count("no.such.tag") == 0


def test_each_question_is_answered_by_the_sample_that_knows_it() -> None:
    blog = blog_prompt(
        {"key": "1", "username": "dalbit.bakery.madeup", "posts": []}, ["Food"], "0123456789abcdef" * 2
    )
    account = '{"username": "prada"}'
    with GeminiStandin(latency_ms=0) as standin:
        for text in (blog.text, account):
            answer = requests.post(
                f"{standin.url}/v1beta/models/gemini-2.5-flash-lite:generateContent",
                json={"contents": [{"parts": [{"text": text}]}]},
                headers={"x-goog-api-key": "any"},
                timeout=5,
            )
            assert answer.status_code == 200
        assert set(standin.requests["by_subject"]) == {"dalbit.bakery.madeup", "prada"}
