"""Which alerts are true, what each says, and which of them are to be told now. Pure.

Surprising: an alert that stops being true for less than `RECOVERED_AFTER` has not recovered, so a figure that
swings about its limit is told once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.notifications import Message, NotifySettings

RECOVERED_AFTER = timedelta(hours=1)
FEWEST_REPLIES = 20


class AlertKind(StrEnum):
    """What people are told."""

    RUN_FAILED = "run_failed"
    CAP_NEAR = "cap_near"
    CAP_REACHED = "cap_reached"
    SPEND_REACHED = "spend_reached"
    BLOCKED_BY_GOOGLE = "blocked_by_google"
    BACKLOG_OLD = "backlog_old"
    MODEL_CHANGED = "model_changed"
    FEW_GROUNDED = "few_grounded"
    POOL_EMPTY = "pool_empty"
    SCHEDULER_SILENT = "scheduler_silent"
    NOTIFY_UNREADABLE = "notify_unreadable"


WHAT_TO_DO: Mapping[AlertKind, str] = {
    AlertKind.RUN_FAILED: "Open the run, read the last error and run it again when its cause is gone.",
    AlertKind.CAP_NEAR: "Nothing, unless other work needs the quota today: lower accounts_per_tick, or raise the cap.",
    AlertKind.CAP_REACHED: "Wait for the reset, or raise daily_grounding_cap if the Google project allows more.",
    AlertKind.SPEND_REACHED: "Look at the cost by model on the quota page; wait, or raise daily_spend_usd.",
    AlertKind.BLOCKED_BY_GOOGLE: (
        "Wait: calls go on by themselves. If it returns, compare the Google project's quota with daily_grounding_cap."
    ),
    AlertKind.BACKLOG_OLD: "Raise daily_grounding_cap or accept the delay; the queue shows which accounts wait.",
    AlertKind.MODEL_CHANGED: "Compare prices and quota, then set GEMINI_MODEL to a model of the registry.",
    AlertKind.FEW_GROUNDED: "Read some of these reviews: nothing without a search is published, but each was paid for.",
    AlertKind.POOL_EMPTY: "Run `entity-pipeline instagram pool list`, and give an account "
    "a new session with `instagram pool add`.",
    AlertKind.SCHEDULER_SILENT: "Check that dagster-daemon runs and that enrichment_schedule is on in the Dagster UI.",
    AlertKind.NOTIFY_UNREADABLE: "Correct the keys with `entity-pipeline settings set`; until then defaults hold.",
}


@dataclass(frozen=True, slots=True)
class FailingJob:
    """A job whose newest failed run no later run has made good."""

    job: str
    run_id: str
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Accounts that wait for a review; `oldest` is when the one that waits longest was found."""

    accounts: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Pool:
    """Instagram accounts that a person has not disabled, and how many of them can be used or will be by themselves."""

    accounts: int
    usable: int


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What was seen. None is not known or does not matter now, and then no alert is true of it.

    `scheduler_seen_at` is the last moment at which the schedule decided, or since when nobody saw it decide.
    """

    failing: Sequence[FailingJob] = ()
    quota: QuotaStatus | None = None
    waiting: Waiting | None = None
    replies: RecentReplies | None = None
    pool: Pool | None = None
    scheduler_seen_at: datetime | None = None
    unreadable_keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell. `key` is its identity: the same key is the same alert."""

    kind: AlertKind
    key: str
    says: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What is stored of an alert and a channel; times on the database's clock. See `pipeline_alerts`."""

    true_at: datetime
    sent_at: datetime | None
    claimed_until: datetime | None


def true_alerts(facts: AlertFacts, limits: NotifySettings, now: datetime) -> list[Alert]:
    """Every alert that is true now, whether it was told or not."""
    found = [
        Alert(
            AlertKind.RUN_FAILED,
            f"{AlertKind.RUN_FAILED}:{failing.job}",
            f"A run of {failing.job} failed at {_clock(failing.failed_at)}, and no later one has succeeded.",
            failing.run_id,
        )
        for failing in facts.failing
    ]
    if facts.quota is not None:
        found += _of_quota(facts.quota, limits, now)
    found += _of_work(facts, limits, now)
    if facts.unreadable_keys:
        keys = ", ".join(key[:60] for key in facts.unreadable_keys[:10])
        found.append(_alert(AlertKind.NOTIFY_UNREADABLE, f"These keys of notify can't be used: {keys}."))
    return found


def due_alerts(
    alerts: Sequence[Alert], told: Mapping[str, Told], remind_after: timedelta, now: datetime
) -> list[Alert]:
    """Those to tell now by one channel: new, true again after a recovery, not yet sent, or due for a reminder."""
    return [alert for alert in alerts if _is_due(told.get(alert.key), remind_after, now)]


def message_of(alerts: Sequence[Alert], page: str | None, runs: Mapping[str, str]) -> Message:
    """All of them in one message: what is so, what to do, and where to look. `runs` has addresses by run id."""
    parts = []
    for alert in alerts:
        lines = [f"{alert.says}", f"What to do: {WHAT_TO_DO[alert.kind]}"]
        where = runs.get(alert.run_id or "") or page
        parts.append("\n".join([*lines, *([where] if where else [])]))
    first = alerts[0].kind.replace("_", " ")
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    return Message(f"entity_pipeline: {first}{more}", "\n\n".join(parts))


def _is_due(told: Told | None, remind_after: timedelta, now: datetime) -> bool:
    if told is None:
        return True
    if told.claimed_until is not None and told.claimed_until > now:
        return False
    return told.sent_at is None or now - told.true_at > RECOVERED_AFTER or now - told.sent_at >= remind_after


def _of_quota(quota: QuotaStatus, limits: NotifySettings, now: datetime) -> Iterator[Alert]:
    taken, day, reset = quota.used + quota.reserved, quota.quota_day, _clock(quota.resets_at)
    figures = f"{taken} of {quota.cap} grounded requests of the Pacific day {day} are used"
    if quota.cap_reached:
        says = f"The cap is reached: {figures}. It resets at {reset}."
        yield _alert(AlertKind.CAP_REACHED, says, day.isoformat())
    elif taken >= quota.cap * limits.cap_near_share:
        yield _alert(AlertKind.CAP_NEAR, f"The cap is near: {figures}.", day.isoformat())
    if quota.spent_usd >= quota.spend_limit_usd:
        says = f"{quota.spent_usd:.2f} of {quota.spend_limit_usd:.2f} USD of the Pacific day {day} are spent."
        yield _alert(AlertKind.SPEND_REACHED, says, day.isoformat())
    if quota.blocked_until is not None and quota.blocked_until > now:
        says = f"Google refuses requests, so none is sent before {_clock(quota.blocked_until)}."
        yield _alert(AlertKind.BLOCKED_BY_GOOGLE, says)


def _of_work(facts: AlertFacts, limits: NotifySettings, now: datetime) -> Iterator[Alert]:
    waiting, replies, pool, seen = facts.waiting, facts.replies, facts.pool, facts.scheduler_seen_at
    if waiting and waiting.oldest and now - waiting.oldest > timedelta(hours=limits.backlog_hours):
        days = (now - waiting.oldest) / timedelta(days=1)
        says = f"{waiting.accounts:,} accounts wait for a review, the oldest for {days:.1f} days."
        yield _alert(AlertKind.BACKLOG_OLD, says)
    if waiting and waiting.accounts and seen and now - seen > timedelta(hours=limits.silent_after_hours):
        says = f"enrichment_schedule has not decided since {_clock(seen)}, while {waiting.accounts:,} accounts wait."
        yield _alert(AlertKind.SCHEDULER_SILENT, says)
    if replies is not None:
        for model in replies.other_models:
            says = f"Gemini answered as {model[:60]} in place of the configured model."
            yield _alert(AlertKind.MODEL_CHANGED, says, model)
        if (
            replies.grounded >= FEWEST_REPLIES
            and replies.without_search > replies.grounded * limits.ungrounded_share
        ):
            says = f"{replies.without_search} of the last day's {replies.grounded} replies came without a search."
            yield _alert(AlertKind.FEW_GROUNDED, says)
    if pool is not None and pool.accounts and not pool.usable:
        says = f"None of the {pool.accounts} Instagram accounts of the pool can be used without a person."
        yield _alert(AlertKind.POOL_EMPTY, says)


def _alert(kind: AlertKind, says: str, subject: str = "") -> Alert:
    return Alert(kind, f"{kind}:{subject}" if subject else kind.value, says)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
