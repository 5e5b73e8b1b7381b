"""How a change affects the switch."""

import pytest

from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import SettingsModel, SettingsRow
from entity_pipeline.core.settings_change import Assignment, NewRow, edit_of


@pytest.mark.parametrize(
    ("model", "row", "wanted", "is_enabled"),
    [
        (NotifySettings, None, None, True),
        (NotifySettings, None, False, False),
        (NotifySettings, SettingsRow(False, {}), None, False),
        (NotifySettings, SettingsRow(None, {}), None, False),
        (GeminiSettings, None, None, False),
        (GeminiSettings, SettingsRow(True, {}), None, True),
        (GeminiSettings, SettingsRow(False, {}), True, True),
    ],
)
def test_a_change_of_values_leaves_the_switch_as_it_is_or_would_be_without_a_row(
    model: type[SettingsModel], row: SettingsRow | None, wanted: bool | None, is_enabled: bool
) -> None:
    edit = edit_of(model, [Assignment(("shares",), None)], is_enabled=wanted)
    assert edit(row) == NewRow(is_enabled, {})
