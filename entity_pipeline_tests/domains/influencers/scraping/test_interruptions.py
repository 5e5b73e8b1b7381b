"""Workers that stop, come late or are lost, and rows that the database refuses."""

from dataclasses import replace

from entity_pipeline.core.instagram.highlights import HighlightsLook, HighlightTray
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.domains.influencers.jobs import recover_tasks_job
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.scraping.queries.stranded import restore_stranded
from entity_pipeline.domains.influencers.scraping.scrape import scrape
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.workers import Done, Stopped
from entity_pipeline.shared.tasks.rules import Task
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.scraping.blogger import (
    BUSY,
    FOUND,
    HIGHLIGHTS,
    NAME,
    NOW,
    PK,
    Connection,
    answers,
    asked,
    blog,
    claimed,
    rows,
    shown,
    state,
    task_now,
    work,
)
from entity_pipeline_tests.fakes.instagram import FakeInstagram


def test_a_stop_gives_the_task_back_and_the_next_run_goes_on(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    instagram = FakeInstagram({NAME: FOUND}, answers=answers(), meanwhile=lambda _: first.stop.set())
    first = work(assets_db, instagram)
    assert scrape(task, first) == Stopped("The run is stopping.", at_once=False)
    row = task_now(assets, task)
    assert (row["status"], row["attempts"], row["lease_owner"]) == ("pending", 0, None)
    assert blog(assets)["scrape_status"] == "pending"
    again = shown(FOUND)
    assert scrape(claimed(assets), work(assets_db, again)) == Done("scraped")
    assert again.looked_at == []


def test_the_end_of_the_steps_time_gives_the_task_back(assets_db: ClonedDatabase, assets: Connection) -> None:
    over: Work = replace(work(assets_db, shown(FOUND)), deadline=NOW)
    assert scrape(asked(assets), over) == Stopped(
        "The step's time is up; the next run continues.", at_once=False
    )


def test_a_late_worker_writes_nothing(assets_db: ClonedDatabase, assets: Connection) -> None:
    task = asked(assets)

    def taken_over(_: str) -> None:
        assets.execute("update scrape_tasks set lease_until = clock_timestamp() - interval '1 ms'")
        STORE.recover(assets)
        claimed(assets, "another worker")

    instagram = FakeInstagram({NAME: FOUND}, answers=answers(), meanwhile=taken_over)
    assert scrape(task, work(assets_db, instagram)) == Done("lost")
    assert instagram.ran == []
    assert (blog(assets)["platform_id"], task_now(assets, task)["steps"].keys()) == (None, {"was"})
    assert task_now(assets, task)["lease_owner"] == "another worker"


def test_a_lost_task_is_left_alone(assets_db: ClonedDatabase, assets: Connection) -> None:
    task = asked(assets)
    instagram = FakeInstagram({NAME: FOUND}, answers=answers(), meanwhile=lambda _: lost.lost.set())
    lost = work(assets_db, instagram)
    assert scrape(task, lost) == Done("lost")
    assert task_now(assets, task)["status"] == "running"


def test_a_blog_that_is_removed_meanwhile_ends_the_work(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    task = asked(assets)
    instagram = FakeInstagram(
        {NAME: FOUND}, answers=answers(), meanwhile=lambda _: assets.execute("delete from persons")
    )
    assert scrape(task, work(assets_db, instagram)) == Done("lost")
    assert scrape(task, work(assets_db, instagram)) == Done("lost")
    assert rows(assets, "select from blogs") == []


def test_a_switch_that_is_turned_off_meanwhile_ends_the_scrape_with_what_is_stored(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    found = answers() | {HighlightsLook(PK): BUSY}
    scrape(asked(assets), work(assets_db, shown(FOUND, found)))
    instagram = shown(FOUND)
    without = InfluencerSettings(highlights_enabled=False)
    assert scrape(claimed(assets), work(assets_db, instagram, without)) == Done("scraped")
    assert (instagram.looked_at, instagram.ran) == ([], [])
    assert blog(assets)["scrape_status"] == "active"


def test_rows_that_the_database_refuses_fail_the_task_and_not_the_run(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    assets.execute("alter table blog_posts add constraint short_codes check (length(code) < 5)")
    task = asked(assets)
    assert scrape(task, work(assets_db, shown(FOUND))) == Done("error")
    row = task_now(assets, task)
    assert (row["status"], row["steps"].keys()) == ("pending", {"was", "profile"})
    assert "short_codes" in row["error_message"]
    assert blog(assets)["scrape_status"] == "pending"


def test_a_count_beyond_its_column_fails_the_task_too(assets_db: ClonedDatabase, assets: Connection) -> None:
    tray = Result(Finding.FOUND, HighlightTray([replace(HIGHLIGHTS[0], media_count=10**12)]))
    task = asked(assets)
    assert scrape(task, work(assets_db, shown(FOUND, answers() | {HighlightsLook(PK): tray}))) == Done(
        "error"
    )


def test_a_blog_whose_workers_were_all_lost_is_not_left_as_being_scraped(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    ask_for_blogs(assets, ["never.scraped"])
    [never] = STORE.claim(assets, "second", 1)
    assets.execute("update blogs set scrape_status = 'scraping'")
    assert restore_stranded(assets) == 0
    assets.execute(
        "update scrape_tasks set lease_until = clock_timestamp() - interval '1 ms', losses = 2, is_begun = true "
        "where lease_owner is not null"
    )
    assert recover_tasks_job.execute_in_process(resources={"assets_db": assets_db}).success
    assert restore_stranded(assets) == 0
    assert state(assets, known) == ("active", "failed", "worker_lost")
    assert state(assets, never) == ("failed", "failed", "worker_lost")


def test_a_blog_has_its_state_of_before_again_even_after_a_lost_worker(
    assets_db: ClonedDatabase, assets: Connection, known: Task
) -> None:
    assets.execute("update blogs set scrape_status = 'private'")
    lost = work(assets_db, shown(FOUND))
    lost.lost.set()
    assert scrape(known, lost) == Done("lost")
    assert blog(assets)["scrape_status"] == "scraping"
    assets.execute(
        "update scrape_tasks set lease_until = clock_timestamp() - interval '1 ms' where status = 'running'"
    )
    STORE.recover(assets)
    again = claimed(assets, "again")
    scrape(again, work(assets_db, shown(BUSY)))
    assert state(assets, again) == ("private", "pending", None)
