"""What the tests of a scrape have in common."""

import pytest

from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import FOUND, Connection, asked, shown, work


@pytest.fixture
def known(assets_db: ClonedDatabase, assets: Connection) -> Task:
    """The second scrape of a blog, whose id is known from the first."""
    scrape(asked(assets), work(assets_db, shown(FOUND)))
    return asked(assets)
