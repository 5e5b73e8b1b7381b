"""Topics become categories by name or alias, and never by resemblance."""

from typing import Any

import psycopg
import pytest

from entity_pipeline.domains.influencers.insights.logic.categories import (
    Category,
    CategoryNames,
    match_categories,
    normalised,
)
from entity_pipeline.domains.influencers.insights.queries.categories import load_categories

NAMES = CategoryNames.of(
    [
        Category(1, "beauty", "Beauty", ["Уход за кожей", "make-up"]),
        Category(2, "realestate", "Real estate", []),
        Category(3, "home", "Home", ["beauty", "make up", "ёлка"]),
    ]
)


@pytest.mark.parametrize(
    ("topic", "category"),
    [
        ("beauty", 1),
        ("  BEAUTY ", 1),
        ("Real_Estate", 2),
        ("real - estate", 2),
        ("realestate", 2),
        ("уход  за-кожей", 1),
        ("Make/Up", 1),
        ("make & up", 1),
        ("елка", 3),
        ("ЁЛКА", 3),
        ("beaut", None),
        ("beautys", None),
        ("", None),
        (" - ", None),
    ],
)
def test_a_topic_is_found_by_code_name_or_alias(topic: str, category: int | None) -> None:
    assert NAMES.find(topic) == category


def test_only_the_primary_topic_is_primary_and_each_category_comes_once() -> None:
    found = match_categories("Real estate", ["beauty", "real_estate", "make-up", "chess", "Chess"], NAMES)
    assert found.categories == {2: True, 1: False}
    assert found.unmatched == ("chess",)


def test_an_unknown_primary_topic_makes_no_other_one_primary() -> None:
    found = match_categories("chess", ["beauty"], NAMES)
    assert found.categories == {1: False}
    assert match_categories(None, [], NAMES).categories == {}


def test_the_aliases_of_the_installation_are_unambiguous(assets: psycopg.Connection[Any]) -> None:
    rows: list[Any] = assets.execute("select code, name, aliases from categories").fetchall()
    assert len(rows) == 20
    owners: dict[str, str] = {}
    for code, name, aliases in rows:
        for word in {code, normalised(name)} | {normalised(one) for one in aliases}:
            assert owners.setdefault(word, code) == code, word
            assert word
    names = load_categories(assets)
    for topic, code in [
        ("Красота", "beauty"),
        ("여행", "travel"),
        ("тамақ", "food"),
        ("Mental Health", "health"),
    ]:
        found = names.find(topic)
        [row] = assets.execute("select code from categories where id = %s", [found]).fetchall()
        assert row == (code,)
