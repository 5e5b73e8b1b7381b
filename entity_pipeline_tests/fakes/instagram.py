"""Instagram behind the port `core.instagram.access`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.picture import Picture, PictureDownload
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileLook
from entity_pipeline.core.instagram.results import Deferred, Result

Ended = Result[InstagramProfile] | Deferred


class FakeInstagram:
    """Profiles by username, pictures by URL, and answers to other operations, for sessions of every domain.

    What is not named is not found. A sequence of endings is used up in order, the last one for ever. `looked_at`,
    `downloaded` and `ran` tell what was asked for, `sessions` for whom: domain and account. `meanwhile` is called
    during each look, for what happens at the same time elsewhere.
    """

    def __init__(
        self,
        profiles: Mapping[str, Ended | Sequence[Ended]] | None = None,
        pictures: Mapping[str, Result[Picture] | Deferred] | None = None,
        answers: Mapping[Operation[Any], Result[Any] | Deferred | Sequence[Result[Any] | Deferred]]
        | None = None,
        meanwhile: Callable[[str], object] = lambda username: None,
    ) -> None:
        self._profiles = {name: _in_order(found) for name, found in (profiles or {}).items()}
        self._pictures = pictures or {}
        self._answers = {operation: _in_order(found) for operation, found in (answers or {}).items()}
        self._meanwhile = meanwhile
        self.sessions: list[tuple[str, str | None]] = []
        self.looked_at: list[str] = []
        self.downloaded: list[str] = []
        self.ran: list[Operation[Any]] = []

    def session(self, domain: str, account: str | None = None) -> "FakeInstagram":
        self.sessions.append((domain, account))
        return self

    def run(self, operation: Operation[Any], deadline: datetime) -> Result[Any] | Deferred:
        match operation:
            case ProfileLook(username):
                return self._look(username)
            case PictureDownload(url):
                self.downloaded.append(url)
                return self._pictures.get(url, Result(Finding.NOT_FOUND, detail="missing"))
        self.ran.append(operation)
        left = self._answers.get(operation, [])
        if not left:
            return Result(Finding.NOT_FOUND, detail="HTTP 404", canary=True)
        return left.pop(0) if len(left) > 1 else left[0]

    def _look(self, username: str) -> Ended:
        self.looked_at.append(username)
        self._meanwhile(username)
        left = self._profiles.get(username, [])
        if not left:
            return Result(Finding.NOT_FOUND, detail="HTTP 404", source="anonymous:direct", canary=True)
        return left.pop(0) if len(left) > 1 else left[0]


def _in_order(
    found: Result[Any] | Deferred | Sequence[Result[Any] | Deferred],
) -> list[Result[Any] | Deferred]:
    return [found] if isinstance(found, Result | Deferred) else list(found)
