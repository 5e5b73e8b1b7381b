"""Measures taken again after a change of the formulas."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.domains.influencers.scraping import recompute as recomputing
from entity_pipeline.domains.influencers.scraping.recompute import recompute
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    FOUND,
    NAME,
    Connection,
    answers,
    asked,
    blog,
    rows,
    work,
)
from entity_pipeline_tests.fakes.instagram import FakeInstagram

MEASURES = ("er", "er_reels", "er_trend", "posts_per_week", "metrics")
_OLDER = "update blogs set er = 1, er_trend = null, metrics = jsonb_set(metrics, '{version}', '0') where username = %s"


@pytest.fixture
def measured(assets_db: ClonedDatabase, assets: Connection) -> dict[str, Any]:
    """The measures of a scrape, which then become those of a former version."""
    scrape(asked(assets), work(assets_db, FakeInstagram({NAME: FOUND}, answers=answers())))
    now = measures(assets)
    assets.execute(_OLDER, [NAME])
    assert measures(assets) != now
    return now


def measures(assets: Connection, name: str = NAME) -> dict[str, Any]:
    row = blog(assets, name)
    return {column: row[column] for column in MEASURES}


def test_the_measures_are_those_of_the_scrape_whatever_happened_since(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any]
) -> None:
    assets.execute("update blogs set follower_count = 5")
    assets.execute(
        "insert into blog_posts (blog_id, platform_id, code, taken_at, like_count, comment_count) "
        "select id, 1, 'Old', now() - interval '60 days', 9, 9 from blogs"
    )
    assert recompute(assets_db) == 1
    assert measures(assets) == measured
    assert recompute(assets_db) == 0


def test_blogs_of_the_present_version_and_blogs_without_measures_stay_untouched(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any]
) -> None:
    asked(assets, "never.scraped")
    recompute(assets_db)
    before = rows(assets, "select id, xmin::text from blogs order by 1")
    assert recompute(assets_db) == 0
    assert rows(assets, "select id, xmin::text from blogs order by 1") == before


def test_a_scrape_in_the_meantime_wins(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = recomputing.write_measures

    def late(*arguments: Any, **named: Any) -> int:
        assets.execute('update blogs set metrics = metrics || \'{"at": "2027-01-01T00:00:00+00:00"}\'')
        return write(*arguments, **named)

    monkeypatch.setattr(recomputing, "write_measures", late)
    assert recompute(assets_db) == 0
    assert measures(assets)["er"] == 1


def test_only_blogs_of_the_days_that_are_asked_for(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any]
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert recompute(assets_db, (today - timedelta(days=2), today - timedelta(days=1))) == 0
    assert recompute(assets_db, (today - timedelta(days=1), today + timedelta(days=1))) == 1
    assert measures(assets) == measured


def test_many_blogs_are_taken_in_parts(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recomputing, "PART", 2)
    assets.execute(
        "insert into blogs (person_id, username, metrics) select person_id, username || nth, metrics "
        "from blogs, generate_series(1, 4) nth"
    )
    # One whose measures can't be read keeps them.
    assets.execute("update blogs set metrics = metrics - 'at' where username like '%1'")
    assert recompute(assets_db) == 4
    assert measures(assets) == measured
    assert recompute(assets_db) == 0


def test_a_run_may_end_between_two_parts(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any]
) -> None:
    assert recompute(assets_db, may_go_on=lambda: False) == 0
    assert measures(assets) != measured
