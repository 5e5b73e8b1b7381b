"""Which function works on a task of which type."""

from collections.abc import Mapping

from entity_pipeline.domains.influencers.discovery.discover import discover
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.work_item import Handler
from entity_pipeline.domains.influencers.scraping.scrape import scrape

HANDLERS: Mapping[str, Handler] = {TaskType.FULL_SCRAPE: scrape, TaskType.DISCOVER: discover}
