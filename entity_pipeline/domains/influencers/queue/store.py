"""The store of `scrape_tasks`. Apart from its rules, because it loads the driver, which Dagster's start does not."""

from entity_pipeline.domains.influencers.queue.tasks import QUEUE
from entity_pipeline.shared.tasks.store import TaskStore

STORE = TaskStore(QUEUE)
