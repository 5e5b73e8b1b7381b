"""SIGKILL before and after every statement and every request of a scrape, then further runs until it has ended.

Each run of the tests takes a few of the points, another few each time; all with NIGHTLY.
"""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.scraping.logic.steps import next_step, operation_of
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.sandbox.instagram_standin import InstagramStandin
from entity_pipeline.sandbox.loopback_http import Reply, Request
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping import kill_child
from entity_pipeline_tests.domains.influencers.scraping.blogger import NAME, Connection, asked, rows
from entity_pipeline_tests.domains.influencers.scraping.simulated import SESSION_KEY, account, add_to_pool
from entity_pipeline_tests.reliability.kill_wire import (
    PHASES,
    HttpWire,
    Phase,
    PostgresWire,
    Watch,
    forwarded,
)

SAMPLE = 6
_RESULTS = {
    "blogs": "select username, platform_id, follower_count, er, er_reels, er_trend, posts_per_week, "
    "metrics - 'at' as metrics, scrape_status from blogs",
    "posts": "select platform_id, like_count, likes_hidden, play_count, is_pinned, mentions from blog_posts order by 1",
    "highlights": "select platform_id, title, story_mentions, story_links, stories_read_at is not null as is_read "
    "from blog_highlights order by 1",
    "tasks": "select task_type, status, outcome from scrape_tasks order by 1",
}


class Attack:
    """A database, a stand-in, and the wires in front of both."""

    def __init__(self, assets: Connection, standin: InstagramStandin) -> None:
        self._assets = assets
        self._standin = standin
        self.watch = Watch()
        self.asked: list[str] = []
        self.addresses: tuple[str, str] = ("", "")

    def answer(self, request: Request) -> Reply:
        """Pass a request on; it is asked even if the process dies before the answer."""
        ids = request.query.get("reel_ids", [])
        self.asked.append(f"{request.path} {','.join(ids)}".strip())
        return forwarded(request, self._standin.url)

    def run(self, watch: Watch) -> int:
        """One process under a watch; negative for a signal. Waits until the server has noticed its end."""
        self.watch = watch
        with subprocess.Popen(
            [
                sys.executable,
                str(Path(kill_child.__file__)),
                *self.addresses,
                SESSION_KEY,
                str(random.random()),
            ],
            stdin=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        ) as process:
            watch.watch(process.pid)
            process.communicate("go\n", timeout=60)
        while self._assets.execute(
            "select from pg_stat_activity where datname = current_database() and state <> 'idle' "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        ).rowcount:
            pass
        return process.returncode

    def start_again(self) -> None:
        self._assets.execute("truncate persons, scrape_tasks, instagram_request_log cascade")
        self.let_time_pass()
        asked(self._assets)
        self._assets.execute("update scrape_tasks set lease_until = clock_timestamp() - interval '1 ms'")
        STORE.recover(self._assets)
        self._assets.execute("update scrape_tasks set losses = 0")
        self.asked.clear()

    def let_time_pass(self) -> None:
        """As if leases of tasks and accounts had run out, and every wait were over."""
        self._assets.execute("update instagram_pool_accounts set lease_owner = null, lease_expires_at = null")
        self._assets.execute(
            "update scrape_tasks set lease_until = clock_timestamp() - interval '1 ms' where lease_until is not null"
        )
        self._assets.execute(
            "update scrape_tasks set next_retry_at = null, deferred_until = null where status = 'pending'"
        )

    def to_the_end(self) -> None:
        """What the schedules would do."""
        for _ in range(5):
            self.let_time_pass()
            STORE.recover(self._assets)
            assert self.run(Watch()) == 0
            [status] = rows(self._assets, "select status from scrape_tasks where task_type = 'full_scrape'")
            if status["status"] == "done":
                return
        raise AssertionError(rows(self._assets, "select * from scrape_tasks"))

    def results(self) -> dict[str, list[dict[str, Any]]]:
        return {name: rows(self._assets, query) for name, query in _RESULTS.items()}

    def losses(self) -> int:
        [row] = rows(
            self._assets, "select losses, attempts from scrape_tasks where task_type = 'full_scrape'"
        )
        assert row["attempts"] == 1, row
        return int(row["losses"])

    def unstored_request(self) -> str | None:
        """The request whose answer is not noted yet, as its path; None when all are."""
        [task] = rows(self._assets, "select steps from scrape_tasks where task_type = 'full_scrape'")
        settings = InfluencerSettings()
        step = next_step(task["steps"], settings)
        if step is None:
            return None
        if step == "profile":
            return f"/{NAME}/"
        operation = operation_of(step, task["steps"], settings)
        return {
            "newest_posts": f"/api/v1/feed/user/{operation.target}/",
            "reels": "/graphql/query",
            "highlights": f"/api/v1/highlights/{operation.target}/highlights_tray/",
            "highlight_items": "/api/v1/feed/reels_media/ "
            + ",".join(f"highlight:{pk}" for pk in operation.target.split(",")),
        }[operation.name]


@pytest.fixture
def attack(assets_db: ClonedDatabase, assets: Connection) -> Iterator[Attack]:
    add_to_pool(assets, "ours_1", "ours_2")
    with InstagramStandin([account(plays_on_grid=False)], latency_ms=0) as standin:
        made = Attack(assets, standin)
        with (
            PostgresWire("assets", assets_db.url, lambda: made.watch) as database,
            HttpWire("instagram", made.answer, lambda: made.watch) as instagram,
        ):
            made.addresses = database.url, instagram.url
            yield made


def undisturbed(attack: Attack) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """How many points a run has that nothing disturbs, and what it leaves behind."""
    attack.start_again()
    watch = Watch()
    assert attack.run(watch) == 0
    results = attack.results()
    assert [row["status"] for row in results["tasks"]] == ["pending", "done"]
    assert len(attack.asked) == 6
    return len(watch.points), results


def faults(attack: Attack, number: int, phase: Phase, expected: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What is wrong after a kill at one point, and after the runs that followed."""
    attack.start_again()
    watch = Watch(number, phase)
    code = attack.run(watch)
    if code == 0:
        return []  # this run had fewer points
    assert code == -9
    may_be_repeated = attack.unstored_request()
    attack.to_the_end()
    place = f"{phase} {number} ({watch.points[number][:60]})"
    found = [
        f"{place}: {name} differ: {rows_}"
        for name, rows_ in attack.results().items()
        if rows_ != expected[name]
    ]
    twice = {path for path, times in Counter(attack.asked).items() if times > 1}
    found += [f"{place}: {path} was asked twice" for path in twice - {may_be_repeated}]
    return found + ([f"{place}: lost more than once"] if attack.losses() > 1 else [])


@pytest.mark.timeout(300)
def test_a_kill_at_a_few_points_loses_nothing_and_asks_for_nothing_stored(attack: Attack) -> None:
    points, expected = undisturbed(attack)
    everywhere = [(number, phase) for number in range(points) for phase in PHASES]
    wrong = [
        fault
        for number, phase in random.sample(everywhere, SAMPLE)
        for fault in faults(attack, number, phase, expected)
    ]
    assert wrong == []


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_a_kill_at_any_point_loses_nothing_and_asks_for_nothing_stored(attack: Attack) -> None:
    points, expected = undisturbed(attack)
    wrong = [
        fault
        for number in range(points)
        for phase in PHASES
        for fault in faults(attack, number, phase, expected)
    ]
    assert wrong == []
    sys.stdout.write(f"\n{2 * points} kills\n")
