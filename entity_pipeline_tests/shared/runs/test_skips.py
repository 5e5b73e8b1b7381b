"""Why a sensor waits, as a value in its cursor."""

import json
from typing import Any

import pytest

from entity_pipeline.core.reasons import Reason, sentence
from entity_pipeline.core.settings import SettingsRow, gate
from entity_pipeline.domains.entities.reasons import because
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.runs.skips import skip_reason, skipped
from entity_pipeline_tests.settings_rows import rows_with


def gate_reason() -> Reason:
    closed: Any = gate(EntitySettings, rows_with(SettingsRow(True, {"concurrency": 0, "odd": 1})))
    return closed.reason  # type: ignore[no-any-return]


@pytest.mark.parametrize("reason", [because("tick.no_new_post"), gate_reason()], ids=["plain", "nested"])
def test_it_comes_back_as_the_same_value_in_every_language(reason: Reason) -> None:
    result = skipped(reason, json.dumps({"looked_at": "then"}))
    assert result.skip_reason is not None
    assert result.skip_reason.skip_message == str(reason)
    found = skip_reason(result.cursor, str(reason))
    assert found is not None
    assert sentence(found, "ko") == sentence(reason, "ko") != str(reason)


def test_the_rest_of_the_cursor_stays() -> None:
    first = skipped(because("tick.no_new_post"), json.dumps({"looked_at": "then"}))
    again = skipped(because("tick.all_decided"), first.cursor)
    assert json.loads(again.cursor or "")["looked_at"] == "then"
    assert skip_reason(again.cursor, str(because("tick.all_decided"))) == because("tick.all_decided")


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        "",
        "x",
        "[]",
        "{}",
        '{"skipped": 3}',
        '{"skipped": {"package": "no.such", "key": "k", "values": {}}}',
        '{"skipped": {"package": "entity_pipeline.domains.entities", "key": "gone", "values": {}}}',
    ],
)
def test_a_cursor_without_a_usable_reason_has_none(cursor: str | None) -> None:
    assert skip_reason(cursor, "No post changed since the last look.") is None


def test_a_tick_that_said_something_else_does_not_get_the_reason_of_an_earlier_one() -> None:
    cursor = skipped(because("tick.no_new_post"), None).cursor
    assert skip_reason(cursor, "Something went wrong.") is None
    assert skip_reason(cursor, None) is None
