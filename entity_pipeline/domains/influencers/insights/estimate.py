"""What submitting all waiting blogs would ask and cost at most; sends nothing and fetches nothing."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from entity_pipeline.core.gemini.models import find_model
from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.usage import most_token_cost_usd
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.insights.logic.blog_facts import BlogFacts
from entity_pipeline.domains.influencers.insights.logic.record import is_answered
from entity_pipeline.domains.influencers.insights.pictures import Wanted, wanted
from entity_pipeline.domains.influencers.insights.queries.blog_facts import load_blogs
from entity_pipeline.domains.influencers.insights.queries.categories import load_categories
from entity_pipeline.domains.influencers.insights.queries.insights import pending_blogs
from entity_pipeline.domains.influencers.insights.question import question
from entity_pipeline.domains.influencers.insights.reencode import CONTENT_TYPE
from entity_pipeline.domains.influencers.settings import InfluencerSettings


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of the waiting tasks: how many would be asked about, how many need no question, and the most it may cost.

    `most_usd` is None for a model without known prices.
    """

    waiting: int
    to_ask: int
    unchanged: int
    nothing_to_describe: int
    pictures: int
    most_usd: Decimal | None


def estimate(database: Database, settings: InfluencerSettings, day: date) -> Estimate:
    """For tasks that are due or will be, at the prices of `day`."""
    model = find_model(settings.insights_model)
    topics = patiently_on(database, load_categories).names
    waiting = patiently_on(database, pending_blogs)
    to_ask = unchanged = nothing = pictures = 0
    most = Decimal(0)
    for id_ in waiting:
        blog = patiently_on(database, lambda db, id_=id_: load_blogs(db, [id_]).get(id_))  # type: ignore[misc]
        if blog is None:
            continue
        if not blog.is_describable:
            nothing += 1
            continue
        shown = _pictures(blog, settings.insights_pictures)
        asked = question(blog, shown, settings.insights_model, topics)
        if is_answered(blog, asked.input_hash):
            unchanged += 1
            continue
        to_ask, pictures = to_ask + 1, pictures + len(shown)
        if model is not None:
            most += most_token_cost_usd(model, asked.call.request, day, in_batch=True)
    return Estimate(len(waiting), to_ask, unchanged, nothing, pictures, None if model is None else most)


def _pictures(blog: BlogFacts, most: int) -> list[tuple[str, Picture]]:
    """In place of the pictures; a stored one has its hash in its key."""
    return [(one.of, Picture(CONTENT_TYPE, _hash_of(one), 0, bytes)) for one in wanted(blog, most)]


def _hash_of(one: Wanted) -> str:
    return (one.key or "not stored yet").rpartition("/")[2].partition(".")[0]
