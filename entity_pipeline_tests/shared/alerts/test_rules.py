from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.core.alerts import Alert
from entity_pipeline.shared.alerts.rules import SentAlert, due_alerts, message_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
EMPTY = Alert("instagram/pool_empty", "Nothing is left.", "Add an account.")
FAILED = Alert("entities/run_failed:intake_job", "A run failed.", "Open the run.", run_id="r1")


@pytest.mark.parametrize(
    ("sent", "is_due"),
    [
        (None, True),
        (SentAlert(NOW - MINUTE, NOW - MINUTE, None), False),
        (SentAlert(NOW - MINUTE, None, NOW + MINUTE), False),
        (SentAlert(NOW - MINUTE, None, NOW - MINUTE), True),
        (SentAlert(NOW - MINUTE, None, None), True),
        (SentAlert(NOW - 60 * MINUTE, NOW - 120 * MINUTE, None), False),
        (SentAlert(NOW - 61 * MINUTE, NOW - 120 * MINUTE, None), True),
        (SentAlert(NOW - MINUTE, NOW - DAY + MINUTE, None), False),
        (SentAlert(NOW - MINUTE, NOW - DAY, None), True),
    ],
    ids=[
        "new",
        "sent",
        "being sent by another",
        "the sender died",
        "never sent",
        "swings",
        "true again after a recovery",
        "not yet a day",
        "a reminder",
    ],
)
def test_alerts_are_sent_when_they_are_due(sent: SentAlert | None, is_due: bool) -> None:
    stored = {EMPTY.key: sent} if sent else {}
    assert due_alerts([EMPTY], stored, DAY, NOW) == ([EMPTY] if is_due else [])


def test_an_alert_of_one_domain_does_not_silence_that_of_another() -> None:
    ours = Alert("rivers/backlog_old", "Old.", "Wait.")
    theirs = Alert("lakes/backlog_old", "Old.", "Wait.")
    sent = {ours.key: SentAlert(NOW, NOW, None)}
    assert due_alerts([ours, theirs], sent, DAY, NOW) == [theirs]


def test_a_message_says_what_happened_what_to_do_and_where_to_look() -> None:
    message = message_of([FAILED, EMPTY], {FAILED.key: "https://dagster.example/runs/r1"})
    assert message.title == "entity_pipeline: entities run failed and 1 more"
    assert message.text == (
        "A run failed.\nWhat to do: Open the run.\nhttps://dagster.example/runs/r1\n\n"
        "Nothing is left.\nWhat to do: Add an account."
    )
    assert message_of([EMPTY], {}).title == "entity_pipeline: instagram pool empty"
