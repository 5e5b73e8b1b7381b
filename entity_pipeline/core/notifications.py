"""Telling people: what a message is, what sends it, and what a person may set of it under `notify`.

Surprising: a value of `notify` that can't be read closes no gate. It is told as an alert, and the default holds:
a typing error in how people are told must stop neither the pipeline nor the telling.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from entity_pipeline.core.failures import TransientFailure

Hours = Annotated[float, Field(gt=0, le=8_760)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


class NotifySettings(BaseModel):
    """From when on something is worth an alert. Addresses and passwords are variables and never stand here."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    remind_after_hours: Hours = 24.0
    # Accounts that were there before the pipeline may have waited for years.
    backlog_hours: Annotated[float, Field(gt=0, le=87_600)] = 168.0
    silent_after_hours: Hours = 1.0
    cap_near_share: PositiveShare = 0.9
    ungrounded_share: PositiveShare = 0.2


def notify_settings(stored: Mapping[str, Any]) -> tuple[NotifySettings, Sequence[str]]:
    """What is set, and the keys that can't be used; those have their defaults. Values are not repeated."""
    try:
        return NotifySettings.model_validate(dict(stored)), ()
    except ValidationError as error:
        bad = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        good = {key: value for key, value in stored.items() if key not in bad}
        return NotifySettings.model_validate(good), sorted(bad)


@dataclass(frozen=True, slots=True)
class Message:
    """One message for people; `title` is one line, `text` plain text."""

    title: str
    text: str


class NotSent(TransientFailure):
    """A channel did not take a message; it may later. The sentence names the channel and no address."""


class Notifications(Protocol):
    """The ways to tell people; implemented by `resources/notifications.py`."""

    def channels(self) -> Sequence[str]:
        """Names of the ways that are configured; none means that nothing is told."""

    def page_address(self) -> str | None:
        """Where people see the administration page, without a slash at the end; None when it is not known."""

    def run_address(self, run_id: str) -> str | None:
        """Where people see a run in the Dagster UI."""

    def send(self, channel: str, message: Message) -> None:
        """Tell it once, within half a minute.

        Raises:
            ConfigurationFailure: the channel's variables are wrong.
            NotSent: it did not take the message, or nobody knows whether it did.
        """
