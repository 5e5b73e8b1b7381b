"""What makes a review a new paid question."""

from typing import Any

import pytest

from entity_pipeline.domains.entities.reviews.logic.input_hash import config_hash, input_hash

FACTS = {"username": "gentlemonster", "bio": "안녕", "external_urls": ["https://a.b"], "is_verified": True}
CONFIG = {"temperature": 0.0, "max_output_tokens": 1024}


def hashed(
    facts: dict[str, Any] | None = None,
    prompt: str = "p1",
    schema: str = "1",
    model: str = "m",
    **config: Any,
) -> str:
    return input_hash(FACTS if facts is None else facts, prompt, schema, model, {**CONFIG, **config})


def test_the_hash_is_stable_over_time_and_key_order() -> None:
    assert hashed() == hashed(dict(reversed(FACTS.items())))
    assert hashed() == "a5e655d58fd1598a2c7af2d3d9f1afbe27a442649da948b74962b60d6c415b3c"


@pytest.mark.parametrize(
    "change",
    [
        {"facts": {**FACTS, "bio": "other"}},
        {"facts": {**FACTS, "username": "other"}},
        {"facts": {**FACTS, "is_verified": False}},
        {"prompt": "p2"},
        {"schema": "2"},
        {"model": "m2"},
        {"thinking_budget": 512},
    ],
)
def test_another_profile_prompt_schema_model_or_setting_is_another_question(change: dict[str, Any]) -> None:
    assert hashed(**change) != hashed()


@pytest.mark.parametrize(
    "facts",
    [
        {**FACTS, "display_name": None},
        {**FACTS, "display_name": ""},
        {**FACTS, "tagged_in_posts": 7, "follower_count": 100, "post_captions": ["c"], "known": "k"},
        {**FACTS, "external_urls": ("https://a.b",)},
    ],
)
def test_empty_facts_and_daily_counts_are_not_part_of_it(facts: dict[str, Any]) -> None:
    assert hashed(facts) == hashed()


def test_the_shared_hash_does_not_know_the_account() -> None:
    assert config_hash("p1", "1", "m", CONFIG) == config_hash("p1", "1", "m", dict(reversed(CONFIG.items())))
    assert config_hash("p1", "1", "m", CONFIG) != config_hash("p2", "1", "m", CONFIG)


def test_a_bio_with_a_lone_surrogate_can_be_hashed() -> None:
    assert len(hashed({"username": "a", "bio": "\ud800"})) == 64
