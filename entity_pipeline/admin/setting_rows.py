"""The rows of `pipeline_settings` that people change here: one per domain, and the shared ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from entity_pipeline.admin.paths import SETTINGS_PATH
from entity_pipeline.admin.shell import MountedPage, Shell
from entity_pipeline.core.settings import SettingsModel
from entity_pipeline.core.shared_settings import SHARED_ROWS


@dataclass(frozen=True, slots=True)
class SettingsPlace:
    """One row: its model, the address of its form, and the page of its domain; None for a shared row."""

    model: type[SettingsModel]
    path: str
    mounted: MountedPage | None = None

    @property
    def name(self) -> str:
        """The name of the row in addresses and commands."""
        return self.model.name


def settings_places(shell: Shell) -> Sequence[SettingsPlace]:
    """Shared rows first, then those of the domains that have a page."""
    shared = [SettingsPlace(model, f"{SETTINGS_PATH}/{model.name}") for model in SHARED_ROWS]
    return [
        *shared,
        *(
            SettingsPlace(mounted.domain.settings, f"{mounted.own_path}/settings", mounted)
            for mounted in shell.pages
        ),
    ]


def place_at(shell: Shell, path: str) -> SettingsPlace | None:
    """The row whose form, or whose switch, is at this address."""
    wanted = path.removesuffix("/switch")
    return next((place for place in settings_places(shell) if place.path == wanted), None)
