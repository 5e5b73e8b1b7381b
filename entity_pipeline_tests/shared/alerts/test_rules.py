from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.shared.alerts.rules import (
    WHAT_TO_DO,
    Alert,
    AlertFacts,
    AlertKind,
    FailingJob,
    Pool,
    Told,
    Waiting,
    due_alerts,
    message_of,
    true_alerts,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
QUOTA = QuotaStatus(
    model="gemini-2.5-flash",
    unit="prompt",
    quota_day=date(2026, 11, 20),
    used=0,
    reserved=0,
    cap=100,
    resets_at=datetime(2026, 11, 21, 8, tzinfo=UTC),
    spent_usd=Decimal(0),
    spend_limit_usd=Decimal(10),
    blocked_until=None,
)
WAIT = Waiting(3, NOW - DAY)

CASES = {
    "nothing is known": (AlertFacts(), []),
    "all is well": (
        AlertFacts((), QUOTA, WAIT, RecentReplies(50, 10, ()), Pool(2, 1), NOW - timedelta(minutes=15)),
        [],
    ),
    "just below near": (AlertFacts(quota=replace(QUOTA, used=80, reserved=9)), []),
    "near, reservations counted": (
        AlertFacts(quota=replace(QUOTA, used=80, reserved=10)),
        ["cap_near:2026-11-20"],
    ),
    "reached is not near as well": (AlertFacts(quota=replace(QUOTA, used=100)), ["cap_reached:2026-11-20"]),
    "a request no longer fits": (
        AlertFacts(quota=replace(QUOTA, used=93, units_per_request=8)),
        ["cap_reached:2026-11-20"],
    ),
    "a cap of nothing": (AlertFacts(quota=replace(QUOTA, cap=0)), ["cap_reached:2026-11-20"]),
    "the money is spent": (
        AlertFacts(quota=replace(QUOTA, spent_usd=Decimal(10))),
        ["spend_reached:2026-11-20"],
    ),
    "the breaker is open": (
        AlertFacts(quota=replace(QUOTA, blocked_until=NOW + MINUTE)),
        ["blocked_by_google"],
    ),
    "the breaker is over": (AlertFacts(quota=replace(QUOTA, blocked_until=NOW)), []),
    "a week old": (AlertFacts(waiting=Waiting(1, NOW - 7 * DAY)), []),
    "older than a week": (AlertFacts(waiting=Waiting(1, NOW - 7 * DAY - MINUTE)), ["backlog_old"]),
    "nobody waits": (AlertFacts(waiting=Waiting(0, None), scheduler_seen_at=NOW - DAY), []),
    "silent for an hour": (AlertFacts(waiting=WAIT, scheduler_seen_at=NOW - 60 * MINUTE), []),
    "silent for longer": (
        AlertFacts(waiting=WAIT, scheduler_seen_at=NOW - 61 * MINUTE),
        ["scheduler_silent"],
    ),
    "another model": (
        AlertFacts(replies=RecentReplies(1, 0, ("gemini-9",))),
        ["model_changed:gemini-9"],
    ),
    "too few replies to judge": (AlertFacts(replies=RecentReplies(19, 19, ())), []),
    "a fifth without a search": (AlertFacts(replies=RecentReplies(20, 4, ())), []),
    "more than a fifth": (AlertFacts(replies=RecentReplies(20, 5, ())), ["few_grounded"]),
    "no pool at all": (AlertFacts(pool=Pool(0, 0)), []),
    "an empty pool": (AlertFacts(pool=Pool(2, 0)), ["pool_empty"]),
    "two jobs fail": (
        AlertFacts([FailingJob("intake_job", "r1", NOW), FailingJob("linking_job", "r2", NOW)]),
        ["run_failed:intake_job", "run_failed:linking_job"],
    ),
    "a key of notify": (AlertFacts(unreadable_keys=["webhook"]), ["notify_unreadable"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_true_of_what_was_seen(case: str) -> None:
    facts, expected = CASES[case]
    assert [alert.key for alert in true_alerts(facts, NotifySettings(), NOW)] == expected


def test_every_alert_can_become_true_and_says_what_to_do() -> None:
    limits = NotifySettings()
    found = {alert.kind for facts, _ in CASES.values() for alert in true_alerts(facts, limits, NOW)}
    assert found == set(AlertKind) == set(WHAT_TO_DO)


def test_a_person_moves_the_limits() -> None:
    limits = NotifySettings(
        backlog_hours=1,
        silent_after_hours=0.5,
        cap_near_share=0.1,
        ungrounded_share=0.01,
        remind_after_hours=1,
    )
    facts = AlertFacts(
        (), replace(QUOTA, used=10), WAIT, RecentReplies(50, 1, ()), None, NOW - timedelta(minutes=31)
    )
    assert {alert.kind for alert in true_alerts(facts, limits, NOW)} == {
        AlertKind.BACKLOG_OLD,
        AlertKind.SCHEDULER_SILENT,
        AlertKind.CAP_NEAR,
        AlertKind.FEW_GROUNDED,
    }


@pytest.mark.parametrize(
    ("told", "is_due"),
    [
        (None, True),
        (Told(NOW - MINUTE, NOW - MINUTE, None), False),
        (Told(NOW - MINUTE, None, NOW + MINUTE), False),
        (Told(NOW - MINUTE, None, NOW - MINUTE), True),
        (Told(NOW - MINUTE, None, None), True),
        (Told(NOW - 60 * MINUTE, NOW - 120 * MINUTE, None), False),
        (Told(NOW - 61 * MINUTE, NOW - 120 * MINUTE, None), True),
        (Told(NOW - MINUTE, NOW - DAY + MINUTE, None), False),
        (Told(NOW - MINUTE, NOW - DAY, None), True),
    ],
    ids=[
        "new",
        "told",
        "being sent by another",
        "the sender died",
        "never sent",
        "swings",
        "true again after a recovery",
        "not yet a day",
        "a reminder",
    ],
)
def test_what_is_told_now(told: Told | None, is_due: bool) -> None:
    alert = Alert(AlertKind.POOL_EMPTY, "pool_empty", "Nobody is left.")
    stored = {"pool_empty": told} if told else {}
    assert due_alerts([alert], stored, DAY, NOW) == ([alert] if is_due else [])


def test_a_message_says_what_is_so_what_to_do_and_where_to_look() -> None:
    alerts = [
        Alert(AlertKind.RUN_FAILED, "run_failed:intake_job", "A run failed.", "r1"),
        Alert(AlertKind.POOL_EMPTY, "pool_empty", "Nobody is left."),
    ]
    message = message_of(alerts, "https://page.example", {"r1": "https://dagster.example/runs/r1"})
    assert message.title == "entity_pipeline: run failed and 1 more"
    assert message.text == (
        f"A run failed.\nWhat to do: {WHAT_TO_DO[AlertKind.RUN_FAILED]}\nhttps://dagster.example/runs/r1\n\n"
        f"Nobody is left.\nWhat to do: {WHAT_TO_DO[AlertKind.POOL_EMPTY]}\nhttps://page.example"
    )
    without_links = message_of(alerts[1:], None, {})
    assert without_links.title == "entity_pipeline: pool empty"
    assert without_links.text.endswith(WHAT_TO_DO[AlertKind.POOL_EMPTY])
