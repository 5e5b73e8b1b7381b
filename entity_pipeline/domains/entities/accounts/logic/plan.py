"""What the schedule requests next within the remaining quota: the most-tagged accounts, and some that wait longest."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.reasons import Reason
from entity_pipeline.core.settings import Closed, Gate
from entity_pipeline.domains.entities.reasons import because


@dataclass(frozen=True, slots=True)
class PendingAccount:
    """An account that waits for its review, as the planner sees it."""

    id: Hashable
    cohort: date
    posts: int


@dataclass(frozen=True, slots=True)
class Launch:
    """One run per cohort, each with the number of accounts it may review; 0 where only profiles are due."""

    limits: Mapping[date, int]


@dataclass(frozen=True, slots=True)
class HoldOff:
    """Nothing to launch, and why."""

    reason: Reason


def plan(
    gate: Gate[Any],
    pending: Sequence[PendingAccount],
    in_flight: AbstractSet[date],
    quota: QuotaStatus,
    due_profiles: Sequence[date] = (),
    *,
    longest_waiting: Sequence[PendingAccount] = (),
    most: int | None = None,
    rests_until: datetime | None = None,
) -> Launch | HoldOff:
    """Decide one tick.

    Args:
        gate: The answer of `core.settings.gate`.
        pending: Accounts that may be reviewed now, in any order; those of cohorts in flight may be missing.
        in_flight: Cohorts that a queued or running run already works on.
        quota: The ledger's figures of today.
        longest_waiting: Accounts of the oldest cohorts, in the order in which their runs take them.
        due_profiles: Cohorts with postponed profiles that may be fetched now.
        most: The most reviews of all runs together; None means the setting for one tick.
        rests_until: When Instagram may be asked again, if profiles are due and no route is free before.
    """
    if isinstance(gate, Closed):
        return HoldOff(gate.reason)
    if (full := used_up(quota)) is not None:
        return full
    free = [account for account in pending if account.cohort not in in_flight]
    profiles_only = [cohort for cohort in due_profiles if cohort not in in_flight]
    if not free and profiles_only:
        return Launch(dict.fromkeys(sorted(profiles_only), 0))
    if not free and in_flight:
        return HoldOff(because("plan.worked_on"))
    if not free and rests_until is not None:
        return HoldOff(because("plan.instagram_rests", at=minute_in_words(rests_until)))
    if not free:
        return HoldOff(because("plan.nothing_waits"))
    wanted = gate.settings.accounts_per_tick if most is None else most
    take = min(wanted, quota.remaining // quota.units_per_request)
    longest = [account for account in longest_waiting if account.cohort not in in_flight]
    chosen = _chosen(free, longest[: places_for_the_oldest(take, gate.settings.fairness)], take)
    limits = dict.fromkeys(profiles_only, 0) | Counter(account.cohort for account in chosen)
    return Launch(dict(sorted(limits.items())))


def places_for_the_oldest(places: int, fairness: float) -> int:
    """How many of a tick's places go to those that wait longest, however rarely they are tagged."""
    return int(places * fairness + 0.5)


def _chosen(
    free: Sequence[PendingAccount], longest: Sequence[PendingAccount], take: int
) -> Sequence[PendingAccount]:
    kept = {account.id for account in longest}
    others = (account for account in free if account.id not in kept)
    most_tagged = sorted(others, key=lambda account: (-account.posts, account.cohort))
    return [*longest, *most_tagged[: take - len(longest)]]


def used_up(quota: QuotaStatus) -> HoldOff | None:
    """Why no request may be made now, whatever waits; None when one may."""
    return HoldOff(quota.closed) if quota.closed is not None else None
