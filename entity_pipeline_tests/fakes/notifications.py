"""Channels behind the port `core.notifications.Notifications`."""

from collections.abc import Mapping, Sequence

from entity_pipeline.core.notifications import Message


class FakeNotifications:
    """`outcomes` are used up in order by channel, then everything is taken; `sent` has what was taken."""

    def __init__(
        self,
        channels: Sequence[str] = ("webhook",),
        outcomes: Mapping[str, Sequence[BaseException | None]] | None = None,
    ) -> None:
        self._channels = channels
        self._outcomes = {channel: list(left) for channel, left in (outcomes or {}).items()}
        self.sent: list[tuple[str, Message]] = []

    def channels(self) -> Sequence[str]:
        return self._channels

    def page_address(self) -> str | None:
        return "https://page.example"

    def run_address(self, run_id: str) -> str | None:
        return f"https://dagster.example/runs/{run_id}"

    def send(self, channel: str, message: Message) -> None:
        left = self._outcomes.get(channel)
        outcome = left.pop(0) if left else None
        if outcome is not None:
            raise outcome
        self.sent.append((channel, message))
