"""The entities' metrics: accounts by state and reason, and the schedule's last decision. No account is a label."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import Asking, Described, MetricsPart, Samples, by_value, one
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.logic.standing import WAITS_FOR_REVIEW, AccountState
from entity_pipeline.domains.entities.accounts.queries.metric_counts import (
    StateCount,
    accounts_by_state,
    pictures_put_off,
)
from entity_pipeline.domains.entities.accounts.queries.queue import reason_counts
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.page.scheduler import SCHEDULE
from entity_pipeline.domains.entities.reviews.logic.reply import UnparseableReason
from entity_pipeline.shared.runs.health import last_decision

T = TypeVar("T")

CACHED_S = 15.0
FAILED_REASONS = tuple(
    dict.fromkeys(
        [*map(str, UnparseableReason), "invalid_username", "other_model", "refused", *map(str, Unanswered)]
    )
)
OF_ACCOUNTS: Mapping[str, Described] = {
    "accounts": Described("Accounts by state; pending, deferred and undecided are the backlog.", ("state",)),
    "backlog_oldest_timestamp_seconds": Described(
        "When the account that has waited longest for a review was created."
    ),
    "held_accounts": Described(
        "Accounts held for a person; one with two reasons counts in both.", ("reason",)
    ),
    "failed_accounts": Described("Accounts whose review failed.", ("reason",)),
    "profiles_waiting": Described("Accounts whose profile is to be fetched, by when.", ("when",)),
    "pictures_put_off": Described("Profiles that were found but whose picture could not be stored yet."),
}
OF_SCHEDULE: Mapping[str, Described] = {
    "schedule_decision_timestamp_seconds": Described(
        "When enrichment_schedule last decided, even if only to wait."
    ),
}


def accounts_part(at: Installation) -> MetricsPart:
    """Accounts by state and reason; every account counts once per state."""

    def read(asking: Asking) -> Mapping[str, Samples]:
        now = datetime.now(UTC)
        states = asking.known(lambda: _asked(at.assets_db, lambda it: accounts_by_state(it, now)))
        reasons = asking.known(lambda: _asked(at.assets_db, reason_counts))
        samples = _of_reasons(reasons) if reasons is not None else {}
        if states is not None:
            samples |= _of_states(states)
            # Otherwise the whole list would be read to find none.
            later = any(row.profiles_later for row in states)
            put_off = (
                asking.known(lambda: _asked(at.assets_db, lambda it: pictures_put_off(it, now)))
                if later
                else 0
            )
            samples |= {"pictures_put_off": one(put_off)} if put_off is not None else {}
        return samples

    return MetricsPart(name="entities", families=OF_ACCOUNTS, read=read, cached_s=CACHED_S)


def schedule_part(at: Installation) -> MetricsPart:
    """The time of the schedule's last decision, from Dagster's records."""

    def read(asking: Asking) -> Mapping[str, Samples]:
        found = at.dagster.asked(lambda instance: (last_decision(instance, SCHEDULE),))
        asking.is_up = found is not None
        decided_at = found[0] if found is not None else None
        if decided_at is None:
            return {}
        return {"schedule_decision_timestamp_seconds": one(decided_at.timestamp())}

    return MetricsPart(name="entities_schedule", families=OF_SCHEDULE, read=read)


def _of_states(states: list[StateCount]) -> dict[str, Samples]:
    waiting = [row.oldest for row in states if row.state in WAITS_FOR_REVIEW]
    due, later = sum(row.profiles_due for row in states), sum(row.profiles_later for row in states)
    return {
        "accounts": by_value(tuple(AccountState), {row.state: row.accounts for row in states}),
        "profiles_waiting": [(("now",), due), (("later",), later)],
        **({"backlog_oldest_timestamp_seconds": one(min(waiting).timestamp())} if waiting else {}),
    }


def _of_reasons(reasons: Mapping[str, Mapping[str, int]]) -> dict[str, Samples]:
    return {
        "held_accounts": by_value(tuple(HoldReason), reasons.get(AccountState.HELD, {})),
        "failed_accounts": by_value(FAILED_REASONS, reasons.get(AccountState.FAILED, {})),
    }


def _asked(database: Database, ask: Callable[[Any], T]) -> T:
    with database.connection() as connection:
        return ask(connection)
