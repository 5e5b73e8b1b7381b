"""Alerts to people: the message, the channels, and the row `notify` of `pipeline_settings`.

A value of `notify` that can't be read does not close a gate. An alert names it and the default applies, because a
typing error in the thresholds of alerts must stop neither the pipeline nor the alerts. Its switch stops the alerts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.settings import SettingsModel, usable

Hours = Annotated[float, Field(gt=0, le=8_760)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


class NotifySettings(SettingsModel):
    """Thresholds for alerts. Addresses and passwords are environment variables, never settings."""

    row: ClassVar[str] = "notify"
    is_on_without_row: ClassVar[bool] = True

    remind_after_hours: Hours = 24.0
    # Accounts older than the pipeline may have waited for years.
    backlog_hours: Annotated[float, Field(gt=0, le=87_600)] = 168.0
    silent_after_hours: Hours = 1.0
    cap_near_share: PositiveShare = 0.9
    ungrounded_share: PositiveShare = 0.2


def notify_settings(stored: Any) -> tuple[NotifySettings, Sequence[str]]:
    """The settings, and the keys that can't be used and therefore have their defaults. Values are not repeated."""
    return usable(NotifySettings, stored)


@dataclass(frozen=True, slots=True)
class Message:
    """One message for people; `title` is one line, `text` plain text."""

    title: str
    text: str


class NotSent(TransientFailure):
    """A channel did not take a message but may do so later. The sentence names the channel, never an address."""


class Notifications(Protocol):
    """The channels to people; implemented by `resources/notifications.py`."""

    def channels(self) -> Sequence[str]:
        """Names of the configured channels; empty means no alerts are sent."""

    def page_address(self) -> str | None:
        """Where people see the administration page, without a slash at the end; None when it is not known."""

    def run_address(self, run_id: str) -> str | None:
        """Where people see a run in the Dagster UI; see `core.run_address`."""

    def send(self, channel: str, message: Message) -> None:
        """Send it once, within half a minute.

        Raises:
            ConfigurationFailure: the channel's variables are wrong.
            NotSent: it did not take the message, or it is not known whether it did.
        """
