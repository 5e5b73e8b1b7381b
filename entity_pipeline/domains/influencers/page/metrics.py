"""The influencers' metrics: tasks by type and state, blogs by state, and open batches. No blog is a label."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import Asking, Described, MetricsPart, Samples, by_value, one
from entity_pipeline.domains.influencers.models import ScrapeStatus, TaskType
from entity_pipeline.domains.influencers.queue.queries.subjects import blogs_by_state
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.shared.tasks.rules import TaskStatus
from entity_pipeline.shared.tasks.store import TaskCount, WaitingBatch

CACHED_S = 15.0
FAMILIES: Mapping[str, Described] = {
    "influencers_tasks": Described("Tasks of the influencers' queue.", ("type", "status")),
    "influencers_oldest_due_timestamp_seconds": Described(
        "Since when the longest-waiting due task of each type is due; absent while none is.", ("type",)
    ),
    "influencers_blogs": Described("Blogs by state.", ("status",)),
    "influencers_batches_open": Described("Batches that tasks wait for."),
    "influencers_batch_oldest_timestamp_seconds": Described(
        "When the first task of the longest-open batch was claimed; absent while none is open."
    ),
}


def tasks_part(at: Installation) -> MetricsPart:
    """The queue and the blogs."""

    def read(asking: Asking) -> Mapping[str, Samples]:
        def asked(ask: Any) -> Any:
            def with_connection() -> Any:
                with at.assets_db.connection() as connection:
                    return ask(connection)

            return asking.known(with_connection)

        tasks, due, batches = asked(STORE.counts), asked(STORE.oldest_due), asked(STORE.batches)
        blogs: Mapping[str, int] | None = asked(blogs_by_state)
        return {
            **({"influencers_tasks": _of_tasks(tasks)} if tasks is not None else {}),
            **({"influencers_oldest_due_timestamp_seconds": _of_due(due)} if due is not None else {}),
            **({"influencers_blogs": by_value(tuple(ScrapeStatus), blogs)} if blogs is not None else {}),
            **(_of_batches(batches) if batches is not None else {}),
        }

    return MetricsPart(name="influencers", families=FAMILIES, read=read, cached_s=CACHED_S)


def _of_tasks(counts: list[TaskCount]) -> Samples:
    found = {(str(kind), str(status)): 0 for kind in TaskType for status in TaskStatus}
    for count in counts:
        found[count.task_type, str(count.status)] = count.tasks
    return [(labels, float(tasks)) for labels, tasks in found.items()]


def _of_due(due: Mapping[str, datetime]) -> Samples:
    return [((kind,), at.timestamp()) for kind, at in due.items()]


def _of_batches(batches: list[WaitingBatch]) -> dict[str, Samples]:
    oldest = min((batch.since for batch in batches), default=None)
    return {
        "influencers_batches_open": one(len(batches)),
        **(
            {"influencers_batch_oldest_timestamp_seconds": one(oldest.timestamp())}
            if oldest is not None
            else {}
        ),
    }
