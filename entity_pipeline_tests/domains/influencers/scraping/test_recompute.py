"""Measures taken again after a change of the formulas."""

from typing import Any

import dagster as dg
import pytest

from entity_pipeline.core.settings import Open
from entity_pipeline.domains.influencers.scraping import recompute as recomputing
from entity_pipeline.domains.influencers.scraping.asset import blog_metrics
from entity_pipeline.domains.influencers.scraping.recompute import recompute
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.domains.influencers.scraping.work import former_measures
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    FOUND,
    NAME,
    POSTS,
    Connection,
    answers,
    asked,
    blog,
    rows,
    work,
)
from entity_pipeline_tests.fakes.instagram import FakeInstagram
from entity_pipeline_tests.fakes.settings import FakeSettings

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


def test_a_run_of_the_asset_says_what_it_did(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any]
) -> None:
    result = dg.materialize([blog_metrics], resources={"assets_db": assets_db})
    [done] = result.asset_materializations_for_node("blog_metrics")
    assert done.metadata["measured_again"].value == 1
    assert done.metadata["missing_measures"].value == "none"
    assert measures(assets) == measured


def test_a_run_of_the_asset_counts_why_measures_are_missing(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    few = answers(POSTS[:3], ())
    scrape(asked(assets), work(assets_db, FakeInstagram({NAME: FOUND}, answers=few)))
    result = dg.materialize([blog_metrics], resources={"assets_db": assets_db})
    [done] = result.asset_materializations_for_node("blog_metrics")
    missing = done.metadata["missing_measures"].value
    assert isinstance(missing, dg.TableMetadataValue)
    assert [record.data["measure and reason"] for record in missing.records] == [
        "er: too_few_posts",
        "er_reels: too_few_posts",
        "er_trend: too_few_posts",
        "er_views: too_few_posts",
    ]


def test_the_schedule_runs_only_for_measures_of_a_former_version(
    assets_db: ClonedDatabase, assets: Connection, measured: dict[str, Any]
) -> None:
    on = FakeSettings(Open(InfluencerSettings()))
    assert isinstance(former_measures(assets_db, on), dg.RunRequest)
    recompute(assets_db)
    skipped = former_measures(assets_db, on)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "All measures come from the present formulas."
