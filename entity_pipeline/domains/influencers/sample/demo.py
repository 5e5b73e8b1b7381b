"""The demo of the domain: name bloggers and hashtags, work until nothing is due, and check every blog.

Failed attempts wait minutes for the next one; the demo moves their clock instead, and says so. A further run on the
same state has nothing to do.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from entity_pipeline.domains.influencers.insights.jobs import insights_config
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.sample.checks import problems_of
from entity_pipeline.domains.influencers.sample.figures import Figures, print_figures, read_figures
from entity_pipeline.domains.influencers.sample.scripts import midnight
from entity_pipeline.domains.influencers.sample.stored import insert_stored
from entity_pipeline.domains.influencers.sample.truth import beginning
from entity_pipeline.sandbox.instagram_pool import add_pool_accounts
from entity_pipeline.sandbox.sample import Demo, requests_seen

POOL = tuple(f"seat{number}.madeup" for number in range(1, 13))
_SCRAPES = [TaskType.FULL_SCRAPE, TaskType.DISCOVER]
_MOST_ROUNDS = 20
_KNOWN = "select username from blogs where username = any (%s)"
_DISCOVERED = "select exists (select from hashtag_discoveries)"
_DUE = """
select count(*) from scrape_tasks
where status = 'pending' and task_type = any (%s) and due_at <= clock_timestamp()
"""
_NOW = "select clock_timestamp()"
_WAITING = "select count(*) from scrape_tasks where status = 'running' and batch_key is not null"
# The second look at a missing profile is hours away and stays there.
_MOVE_CLOCK = """
update scrape_tasks set next_retry_at = clock_timestamp()
where status = 'pending' and task_type = any (%s)
  and next_retry_at > clock_timestamp() and next_retry_at < clock_timestamp() + interval '1 hour'
"""


class InfluencerDemo:
    """One run; `load`, `run` and `problems` come in this order."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._database = demo.services.assets_db
        self._day = midnight(datetime.now(UTC))
        self._figures: Figures | None = None

    def load(self) -> None:
        """Insert the blogs that were scraped long ago, and accounts for the pool, which every domain then uses."""
        add_pool_accounts(self._database, POOL)
        insert_stored(self._database, datetime.now(UTC))

    def run(self) -> None:
        """Run every stage and print the table."""
        seen_before, began_at = requests_seen(os.environ["INSTAGRAM_BASE_URL"]), self._one(_NOW)
        self._name_bloggers()
        if not self._one(_DISCOVERED):
            self._run("influencers_discover_weekly_job")
        self._run("influencers_schedule_updates_job")
        self._until_done(_SCRAPES, lambda: self._run("influencers_queue_job"))
        self._until_done([TaskType.AI_ANALYSIS], self._describe)
        self._run("spend_job")
        self._figures = read_figures(self._demo, seen_before, began_at)
        print_figures(self._demo.console, self._figures, self._day)

    def problems(self) -> Iterator[str]:
        """A sentence for each figure and each blog that differs from the sample."""
        assert self._figures is not None
        yield from problems_of(self._figures, self._day)

    def _name_bloggers(self) -> None:
        """As people write them: with an at sign, as an address, in capitals."""
        spellings = ("{}", "@{}", "https://www.instagram.com/{}/?hl=ko", " {} ")
        named = [blogger.username for blogger in beginning("hand")]
        with self._database.connection() as connection:
            known = {name for (name,) in connection.execute(_KNOWN, [named])}
            new = [name for name in named if name not in known]
            if not new:
                return
            given = [spellings[nth % len(spellings)].format(name.upper()) for nth, name in enumerate(new)]
            ask_for_blogs(connection, given)
        self._demo.console.print(
            f"{len(new)} bloggers are named by hand, and two hashtags are searched for more."
        )

    def _describe(self) -> None:
        self._run("influencers_insights_submit_job", insights_config("submit"))
        for _ in range(_MOST_ROUNDS):
            if not self._one(_WAITING):
                return
            self._run("influencers_poll_batches_job", insights_config("collect"))

    def _until_done(self, types: list[TaskType], work: Callable[[], None]) -> None:
        for _ in range(_MOST_ROUNDS):
            if not self._one(_DUE, types):
                moved = self._move_clock(types)
                if not moved:
                    return
                waiting = "task waits" if moved == 1 else "tasks wait"
                self._demo.console.print(
                    f"{moved} {waiting} some minutes for the next attempt; the demo moves the clock."
                )
            work()

    def _move_clock(self, types: list[TaskType]) -> int:
        with self._database.connection() as connection:
            moved: int = connection.execute(_MOVE_CLOCK, [[str(one) for one in types]]).rowcount
        return moved

    def _one(self, query: str, types: list[TaskType] | None = None) -> Any:
        values = [] if types is None else [[str(one) for one in types]]
        with self._database.connection() as connection:
            return connection.execute(query, values).fetchone()[0]

    def _run(self, job: str, config: dict[str, Any] | None = None) -> None:
        self._demo.runner.run(job, config=config)
