"""Processes that work on one queue at once, are killed, stalled beyond their leases, or told to stop.

Requests are counted at the stand-in: work that is done twice is asked twice.
"""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.ground import SESSION_KEY, Ground, blogger, ground
from entity_pipeline_tests.domains.influencers.queue.racer import LEASE_S

PROCESSES = 8
THREADS = 2
BLOGS = [blogger(f"name_{n}", pk=1_000 + n) for n in range(48)]
# Of each blog: the profile and the newest posts; photos have no plays to ask for, and highlights are off.
REQUESTS = 2
RACER = "entity_pipeline_tests.domains.influencers.queue.racer"

Racer = subprocess.Popen[str]


@contextmanager
def racers(made: Ground, count: int) -> Iterator[list[Racer]]:
    """So many processes, which begin at one moment; none outlives the block."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", RACER, made.database.url, made.standin.url, SESSION_KEY, f"racer-{nth}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for nth in range(count)
    ]
    try:
        for racer in started:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in started:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        yield started
    finally:
        for racer in started:
            racer.kill()
            racer.wait()
            for pipe in (racer.stdin, racer.stdout):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def queue(assets_db: ClonedDatabase) -> Iterator[Ground]:
    """A task for each blog, half of them urgent, and more accounts than requests at once."""
    with ground(assets_db, BLOGS, seats=PROCESSES * THREADS * 3) as made:
        made.settings(highlights_enabled=False, max_concurrent_tasks=THREADS, tasks_per_tick=3)
        for account in BLOGS:
            made.blog(account.username)
        yield made


def asked(queue: Ground) -> Counter[tuple[str, str]]:
    """The requests for each target, without canaries."""
    return Counter(one for one in queue.requests() if one[1] not in ("instagram", "25025320"))


def is_done(queue: Ground) -> bool:
    return all(task.status in ("done", "failed") for task in queue.tasks())


def wait_until_done(queue: Ground, patience_s: float = 120) -> None:
    """Tasks that were put off because every account was in use are due again at once."""
    until = time.monotonic() + patience_s
    while not is_done(queue):
        assert time.monotonic() < until, [task for task in queue.tasks() if task.status != "done"]
        queue.wake()
        time.sleep(0.2)


def assert_every_blog_was_scraped_once(queue: Ground) -> None:
    assert Counter((task.status.value, task.outcome) for task in queue.tasks()) == {
        ("done", None): len(BLOGS)
    }
    rows = queue.rows(
        "select username, scrape_status, (select count(*) from blog_posts p where p.blog_id = b.id) from blogs b"
    )
    assert sorted(rows) == sorted((account.username, "active", 6) for account in BLOGS)


@pytest.mark.timeout(240)
def test_eight_processes_scrape_every_blog_with_not_one_request_too_many(queue: Ground) -> None:
    with racers(queue, PROCESSES):
        wait_until_done(queue)
    assert_every_blog_was_scraped_once(queue)
    requests = asked(queue)
    assert set(requests.values()) == {1}
    assert requests.total() == REQUESTS * len(BLOGS)
    assert queue.standin.requests["total"] == requests.total()


@pytest.mark.timeout(240)
def test_killed_and_stalled_processes_lose_no_task_and_repeat_only_what_had_no_answer(
    queue: Ground, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(request.config.option.hypothesis_seed)
    with racers(queue, PROCESSES) as started:
        killed, stalled = started[:3], started[3:5]
        for racer in stalled:
            time.sleep(chance.uniform(0, 0.4))
            racer.send_signal(signal.SIGSTOP)
        for racer in killed:
            time.sleep(chance.uniform(0, 0.4))
            racer.kill()
        time.sleep(1.5 * LEASE_S)
        for racer in stalled:
            racer.send_signal(signal.SIGCONT)
        wait_until_done(queue)
    assert_every_blog_was_scraped_once(queue)
    requests = asked(queue)
    assert len(requests) == REQUESTS * len(BLOGS)
    # In each thread of a killed process one answer is lost. A stalled one may also get one that is refused as late.
    assert requests.total() - len(requests) <= THREADS * (len(killed) + 2 * len(stalled))


@pytest.mark.timeout(120)
def test_a_signalled_run_ends_what_it_has_begun_and_gives_the_rest_back(queue: Ground) -> None:
    with racers(queue, 1) as [racer]:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "working\n"
        racer.send_signal(signal.SIGTERM)
        racer.wait(30)
    tasks = queue.tasks()
    assert {task.status.value for task in tasks} <= {"done", "pending"}
    assert all(task.lease_owner is None for task in tasks)
    assert {task.attempts for task in tasks if task.status == "pending"} == {0}
    # What was given back half-way goes on where it stopped.
    with racers(queue, 1):
        wait_until_done(queue)
    assert_every_blog_was_scraped_once(queue)
    assert asked(queue).total() == REQUESTS * len(BLOGS)
