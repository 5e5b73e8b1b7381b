"""The process that the kills hit: it works on the scrapes that are due, as a run of the queue would.

Arguments: the addresses of the database and of Instagram, both through the wire, the key of the pool's sessions, and a
name. It waits for a line on standard input before its first statement.
"""

import sys

from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.resources.postgres import open_database
from entity_pipeline_tests.domains.influencers.scraping.blogger import DESCRIBED
from entity_pipeline_tests.domains.influencers.scraping.simulated import governed


def main(database_url: str, instagram_url: str, key: str, name: str) -> None:
    sys.stdin.readline()
    with open_database(database_url) as database:
        for nth in range(3):
            with database.connection() as connection:
                tasks = STORE.claim(connection, f"{name}/{nth}", 1, [TaskType.FULL_SCRAPE])
            for task in tasks:
                scrape(task, governed(database, instagram_url, DESCRIBED, key))


if __name__ == "__main__":
    main(*sys.argv[1:])
