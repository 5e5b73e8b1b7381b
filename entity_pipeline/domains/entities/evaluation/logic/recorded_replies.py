"""Recorded replies through the parser, the gate and the decision, without a key or a database. Pure.

A line is one JSON object: ``case``, ``handle``, ``reply`` (a whole `generateContent` body) and, if it is known,
``right``: what the decision should be with an empty catalog. ``profile`` may hold ``display_name``, ``bio``,
``is_verified`` and ``external_urls``.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.core.jsonb import json_object, json_text
from entity_pipeline.core.proportions import wilson_lower
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.evaluation.logic.judging import verdict_of
from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.logic.decisions import (
    Attach,
    Candidates,
    Create,
    Exclude,
    Hold,
    Link,
)
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.reviews.logic.calibration import calibrate
from entity_pipeline.domains.entities.reviews.logic.grounding import assess_grounding
from entity_pipeline.domains.entities.reviews.logic.reply import (
    EMPTY_REPLIES,
    Unparseable,
    parse_reply,
)
from entity_pipeline.domains.entities.settings import EntitySettings

_WAITS = frozenset({HoldReason.PRIMARY_NOT_LINKED, HoldReason.PRIMARY_UNKNOWN})


class Became(StrEnum):
    """The decision about an account."""

    CREATE = "create"
    LINK = "link"
    ATTACH = "attach"
    HOLD = "hold"
    OTHER = "other"
    RETRY = "retry"  # asked once more: for its form, or because it was empty


WRITTEN = frozenset({Became.CREATE, Became.LINK, Became.ATTACH})


@dataclass(frozen=True, slots=True)
class RecordedReply:
    """One line of the file."""

    case: str
    handle: str
    reply: Mapping[str, Any]
    profile: Mapping[str, Any]
    right: str | None = None


@dataclass(frozen=True, slots=True)
class JudgedReply:
    """The decision about the account, why it is held or failed, and the type that the reply names."""

    recorded: RecordedReply
    decision: Became
    reasons: tuple[str, ...] = ()
    account_type: str | None = None

    @property
    def is_right(self) -> bool | None:
        """Whether it is what should become of it; None if that isn't known.

        What should be `other` may be held, but not written; what should wait for its primary account is held for that.
        """
        wanted = self.recorded.right
        if wanted is None:
            return None
        if wanted == Became.OTHER:
            return self.decision not in WRITTEN
        waits = self.decision is Became.HOLD and _WAITS.issuperset(self.reasons)
        return self.decision.value in wanted.split("/") or (waits and "wait" in wanted)


@dataclass(frozen=True, slots=True)
class Score:
    """Of `wanted` accounts that should be written `covered` were; of `written` ones `right` should have been.

    The bounds are one-sided, at 95 %.
    """

    wanted: int
    covered: int
    written: int
    right: int

    @property
    def coverage_at_least(self) -> float:
        """The lower bound of the coverage."""
        return wilson_lower(self.covered, self.wanted)

    @property
    def precision_at_least(self) -> float:
        """The lower bound of the precision."""
        return wilson_lower(self.right, self.written)


def read_replies(lines: Iterable[str]) -> Iterator[RecordedReply]:
    """The recorded replies, in order.

    Raises:
        InputRejected: a line is not one, with its number.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json_object(json.loads(line))
        except ValueError:
            raise InputRejected(f"Line {number} is not a JSON object.") from None
        handle = handle_or_none(value.get("handle"))
        if handle is None or not isinstance(value.get("reply"), Mapping):
            raise InputRejected(
                f"Line {number} needs `handle`, an Instagram username, and `reply`, an object."
            )
        yield RecordedReply(
            case=json_text(value.get("case")) or str(number),
            handle=str(handle),
            reply=value["reply"],
            profile=json_object(value.get("profile")),
            right=json_text(value.get("right")),
        )


def judge_reply(recorded: RecordedReply, settings: EntitySettings) -> JudgedReply:
    """One reply as the pipeline would take it, with an empty catalog."""
    body = read_body(recorded.reply)
    bio = json_text(recorded.profile.get("bio"))
    parsed = parse_reply(body, handle=recorded.handle, shown=(bio or "",))
    if isinstance(parsed, Unparseable):
        is_asked_again = parsed.worth_repair or parsed.reason in EMPTY_REPLIES
        became = Became.RETRY if is_asked_again else Became.HOLD
        return JudgedReply(recorded, became, (parsed.reason.value,))
    review = parsed.review
    grounding = assess_grounding(
        body,
        handle=recorded.handle,
        names=(review.name_en, review.name_ko),
        account_type=review.account_type,
    )
    account = Account(
        id=UUID(int=0),
        username=recorded.handle,
        handle=recorded.handle,
        display_name=json_text(recorded.profile.get("display_name")),
        bio=bio,
        enrichment={"profile_backfill": {"facts": dict(recorded.profile)}},
    )
    verdict = verdict_of(review, grounding, calibrate(review, grounding, settings).confidence)
    decision = decide(account, verdict, Candidates(), settings)
    reasons = tuple(reason.value for reason in decision.reasons) if isinstance(decision, Hold) else ()
    return JudgedReply(recorded, _became(decision), reasons, review.account_type.value)


def scores(judged: Iterable[JudgedReply]) -> dict[str, Score]:
    """Coverage and precision of the gate for each type that the replies name, and for ``all``; without `right` none."""
    counts: dict[str, Counter[str]] = {"all": Counter()}
    for one in judged:
        if one.is_right is None:
            continue
        wanted = one.recorded.right in {became.value for became in WRITTEN}
        written = one.decision in WRITTEN
        for kind in ("all", one.account_type or "none"):
            found = counts.setdefault(kind, Counter())
            found["wanted"] += wanted
            found["covered"] += wanted and bool(one.is_right)
            found["written"] += written
            found["right"] += written and bool(one.is_right)
    return {
        kind: Score(found["wanted"], found["covered"], found["written"], found["right"])
        for kind, found in counts.items()
    }


def _became(decision: object) -> Became:
    match decision:
        case Create():
            return Became.CREATE
        case Link():
            return Became.LINK
        case Attach():
            return Became.ATTACH
        case Exclude():
            return Became.OTHER
        case _:
            return Became.HOLD
