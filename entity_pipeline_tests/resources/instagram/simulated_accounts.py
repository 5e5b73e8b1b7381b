"""Accounts of the outside world that come and go, and an independent record of what may be believed about them.

Owners leave, rename and give their name away. The pages are read and judged by the real code.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.profile import CANARY, InstagramProfile, ProfileLook
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.resources.instagram.answers import Answer, Ending
from entity_pipeline.resources.instagram.judging import Verdict, judge
from entity_pipeline.resources.instagram.operations.profile import PAGE
from entity_pipeline.resources.instagram.operations.profile_node import NotTheProfile, read_profile
from entity_pipeline_tests.resources.instagram.simulated_pool import Books, Process

APART = timedelta(hours=6)
_NOBODY = (
    Answer(404, body="Not Found"),
    Answer(200, body="<title>Page not found</title>"),
    Answer(200, body='<script>{"xig_user_by_username": null}</script>'),
)


@dataclass(frozen=True)
class Owner:
    """Who has a name. `shown_as` is what the page calls them: another name after a renaming."""

    pk: str
    shown_as: str

    @property
    def bio(self) -> str:
        return f"the words of {self.pk}"


@dataclass
class World:
    """Names and their owners, now; None is a name without an owner."""

    chance: random.Random
    books: Books
    owners: dict[str, Owner | None] = field(default_factory=dict)
    # Per name: when it was truly found or truly absent, in the order of the answers that said so.
    sights: dict[str, list[tuple[datetime, bool]]] = field(default_factory=lambda: defaultdict(list))
    first_owner: dict[str, Owner] = field(default_factory=dict)
    _born: int = 0

    def settle(self, names: int) -> None:
        for number in range(names):
            name = f"name_{number}"
            self.owners[name] = self._born_as(name) if self.chance.random() < 0.7 else None

    def something_happens(self) -> None:
        """A name is given up, taken by another owner, or its owner is shown under another name."""
        name = self.chance.choice(list(self.owners))
        owner = self.owners[name]
        happens = self.chance.choice(["left", "renamed", "reassigned"] if owner else ["taken"])
        self.books.counts[f"names {happens}"] += 1
        if happens == "left":
            self.owners[name] = None
        elif happens == "renamed" and owner is not None:
            self.owners[name] = Owner(owner.pk, f"{name}_new")
        else:
            self.owners[name] = self._born_as(name)

    def page(self, asked: str) -> InstagramProfile | Verdict:
        """What the page shows without any trouble on the way."""
        if asked == CANARY:
            return InstagramProfile("1", CANARY, "Instagram", None, None)
        owner = self.owners[asked]
        self.sights[asked].append((self.books.now, owner is not None))
        if owner is None:
            return judge(PAGE, self.chance.choice(_NOBODY), Ending.UNREADABLE)
        node = {"pk": owner.pk, "username": owner.shown_as, "full_name": owner.pk, "biography": owner.bio}
        try:
            profile = read_profile(node, asked)
        except NotTheProfile:
            self.books.counts["another name on the page"] += 1
            body = f'<script>{{"biography":"{owner.bio}"}}</script>'
            return judge(PAGE, Answer(200, body=body), Ending.UNREADABLE)
        self.first_owner.setdefault(asked, owner)
        return profile

    def check(self, name: str, columns: tuple[str | None, str | None], stored: Mapping[str, Any]) -> None:
        """Only data of the first owner is kept, and no false absence is believed."""
        first = self.first_owner.get(name)
        allowed = {None, first.pk if first else None}
        assert stored.get("instagram_id") in allowed, f"{name} became another owner's"
        assert columns[0] in allowed, f"{name} has another's name"
        assert columns[1] in {None, first.bio if first else None}, f"{name} has another's words"
        self.books.counts[
            f"stored: {stored.get('status', 'nothing')}, {stored.get('outcome', 'no look')}"
        ] += 1
        if stored.get("status") == "not_found":
            absent = self._absent_since_last_seen(name)
            assert len(absent) >= 2, f"{name} was believed absent after {len(absent)} true absences"
            assert absent[-1] - absent[0] >= APART - timedelta(seconds=1), "two absences were too near"

    def _absent_since_last_seen(self, name: str) -> list[datetime]:
        sights = self.sights[name]
        last_seen = max((at for at, is_there in sights if is_there), default=None)
        return [at for at, is_there in sights if not is_there and (last_seen is None or at > last_seen)]

    def _born_as(self, name: str) -> Owner:
        self._born += 1
        return Owner(str(1_000 + self._born), name)


@dataclass
class LookingProcess:
    """A process as the backfill sees it; a `core.instagram.access.InstagramSession`."""

    process: Process
    counts: Counter[str]
    within_s: float

    def run(self, operation: Operation[Any], deadline: datetime) -> Result[Any] | Deferred:
        if not isinstance(operation, ProfileLook):
            return Result(Finding.REFUSED, detail="none here")
        ended = self.process.look(operation.username, self.within_s)
        if isinstance(ended, Result) and ended.canary is not None:
            self.counts[f"canary: {'found' if ended.canary else 'not_found'}"] += 1
        return ended
