"""Measures taken again from stored posts, without any request, after a change of the formulas."""

from functools import partial
from uuid import UUID

from entity_pipeline.core.clock import read_utc
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.scraping.logic.measures import Measures, measure
from entity_pipeline.domains.influencers.scraping.queries.outdated import (
    OutdatedBlog,
    outdated_blogs,
    write_measures,
)

PART = 200


def recompute(database: Database) -> int:
    """Take the measures again where they come from a former version; returns of how many blogs.

    They are of the time of the scrape, with the followers of then. Each part is one read and one write, and a run that
    ends early keeps those that it has written.

    Raises:
        DatabaseUnavailable: the database stays away.
    """
    written, after = 0, UUID(int=0)
    while part := patiently_on(database, partial(outdated_blogs, most=PART, after=after)):
        measured = [(blog, measures) for blog in part if (measures := _measured(blog)) is not None]
        if measured:
            written += patiently_on(database, partial(write_measures, measured=measured))
        after = part[-1].id
    return written


def _measured(blog: OutdatedBlog) -> Measures | None:
    """None where the stored form can't be read; the next scrape replaces it."""
    at, followers = read_utc(blog.metrics.get("at")), blog.metrics.get("followers")
    if at is None:
        return None
    return measure(blog.posts, followers if isinstance(followers, int) else None, at)
