"""A run of `catalog_links`: one decision after the other, each written in its own transaction, and the report."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import dagster as dg

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, Gate, SettingsAccess
from entity_pipeline.domains.entities.accounts.enrichment_queue import QueueKeeper, correct
from entity_pipeline.domains.entities.accounts.queries.backlog import listed_undecided
from entity_pipeline.domains.entities.accounts.queries.enrichment import (
    CohortProgress,
    CohortRange,
    cohort_progress,
    decided_accounts,
    held_reasons,
    link_samples,
    refused_accounts,
    status_counts,
    undecided_accounts,
)
from entity_pipeline.domains.entities.cohorts import cohort_range, pending_by_cohort
from entity_pipeline.domains.entities.links.asset import LinkConfig
from entity_pipeline.domains.entities.links.logic.decide import RULES_VERSION, decide
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.queries.catalog import (
    Applied,
    LinkOutcome,
    LinkRun,
    apply_decision,
)
from entity_pipeline.domains.entities.links.queries.catalog_rows import load_accounts
from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline.domains.entities.links.queries.vocabulary import Vocabulary, load_vocabulary
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.trials import LINKS
from entity_pipeline.shared.database.trial_writes import require
from entity_pipeline.shared.reporting.charts import AMBER, GREEN, GREY, bars_by_name
from entity_pipeline.shared.reporting.metadata import (
    counts_table,
    drawn,
    refused_metadata,
    rows_table,
)
from entity_pipeline.shared.reporting.partitions import green_when_finished
from entity_pipeline.shared.runs.gate import open_settings

# Testing a connection before it is lent costs a round trip, and so does loading the next accounts.
_ON_ONE_CONNECTION = 50
_CHECK_SCHEMA = partial(require, trials=LINKS)


def link_cohorts(
    context: dg.AssetExecutionContext,
    config: LinkConfig,
    *,
    assets_db: Database,
    operation_db: Database,
    settings: SettingsAccess,
) -> Iterator[dg.MaterializeResult]:
    """Decide the undecided accounts of the run's cohorts, and those that a refresh repeats."""
    open_settings(settings, EntitySettings)
    cohorts, now = cohort_range(context.partition_keys), datetime.now(UTC)
    work = _LinkWork(
        run_id=context.run.run_id,
        waiting=deque(
            patiently_on(operation_db, lambda database: _to_decide(database, cohorts, config.refresh))
        ),
        vocabulary=patiently_on(operation_db, load_vocabulary),
    )
    patiently(
        lambda: correct(
            operation_db, assets_db, partial(listed_undecided, cohorts=cohorts, now=now), set(work.waiting)
        )
    )
    held_because = ""
    open_gate = partial(settings.gate, EntitySettings)
    with QueueKeeper(operation_db, assets_db, at_once=_ON_ONE_CONNECTION) as keeper:
        while work.waiting:
            gate = patiently(open_gate)
            if isinstance(gate, Closed):
                held_because = str(gate.reason)
                break
            decide_some = partial(_decide_some, work=work, rules=gate.settings, gate=open_gate)
            keeper.note(*patiently_on(operation_db, decide_some))
    progress, report = patiently_on(operation_db, lambda database: _report(database, cohorts))
    metadata = {
        "accounts_decided": work.outcomes.total(),
        "held_because": held_because or "nothing",
        **refused_metadata(work.refused),
        "rules_version": RULES_VERSION,
        "this_run": counts_table(work.outcomes, "decision"),
        **report,
    }
    pending = pending_by_cohort(progress, links=True)
    yield from green_when_finished(context, "catalog_links", pending, metadata)


def _to_decide(connection: Any, cohorts: CohortRange, refresh: str) -> list[UUID]:
    now = datetime.now(UTC)
    again: list[UUID] = []
    if refresh != "none":
        again = decided_accounts(connection, cohorts, now, only_held=refresh == "held")
    chosen = (
        *undecided_accounts(connection, cohorts, now),
        *refused_accounts(connection, cohorts, now),
        *again,
        *overtaken(connection),
    )
    return list(dict.fromkeys(chosen))


@dataclass
class _LinkWork:
    """The accounts of one run, and its results so far. Accounts that waited for another one are added."""

    run_id: str
    waiting: deque[UUID]
    vocabulary: Vocabulary
    outcomes: Counter[str] = field(default_factory=Counter)
    held_for_primary: set[UUID] = field(default_factory=set)

    def count(self, account_id: UUID, applied: Applied) -> None:
        """Count an account once, by its last decision: one that waited for its primary is decided again."""
        if account_id in self.held_for_primary:
            self.outcomes[LinkOutcome.HELD.value] -= 1
            self.held_for_primary.discard(account_id)
        self.outcomes[applied.outcome.value] += 1
        if applied.outcome is LinkOutcome.HELD and HoldReason.PRIMARY_NOT_LINKED in applied.reasons:
            self.held_for_primary.add(account_id)

    refused: dict[str, str] = field(default_factory=dict)


def _decide_some(
    connection: Any, *, work: _LinkWork, rules: EntitySettings, gate: Callable[[], Gate[EntitySettings]]
) -> Sequence[UUID]:
    """Decide at most `_ON_ONE_CONNECTION` accounts, checking the gate before each. Returns the decided accounts.

    Called again after the database was unreachable, it continues with the same account: a decision repeated after its
    commit comes out the same and writes nothing.
    """
    some = [work.waiting[nth] for nth in range(min(len(work.waiting), _ON_ONE_CONNECTION))]
    seen = load_accounts(connection, some)
    for nth, account_id in enumerate(some, start=1):
        run = LinkRun(
            partial(_decided_under, rules), work.run_id, datetime.now(UTC), work.vocabulary, _CHECK_SCHEMA
        )
        applied = apply_decision(connection, account_id, run, seen=seen.get(account_id))
        if applied.said is not None:
            account = seen.get(account_id)
            work.refused[account.username if account else str(account_id)] = applied.said
        work.waiting.popleft()
        work.waiting.extend(applied.followers)
        work.count(account_id, applied)
        if nth == len(some):
            break
        try:
            now_open = gate()
        except DatabaseUnavailable:
            break  # the caller retries patiently
        if isinstance(now_open, Closed):
            break
        rules = now_open.settings
    return some[:nth]


def _report(
    connection: Any, cohorts: CohortRange
) -> tuple[list[CohortProgress], dict[str, dg.MetadataValue]]:
    statuses = status_counts(connection, cohorts, "catalog_link", "status", "no decision")
    reasons = held_reasons(connection, cohorts)
    return cohort_progress(connection, cohorts, datetime.now(UTC)), {
        "decisions_picture": drawn(
            bars_by_name(
                "Accounts of the cohorts by decision, and why accounts are held", _bars(statuses, reasons)
            ),
            "Accounts of the cohorts by decision, and those held by reason",
        ),
        "all_of_the_cohorts": counts_table(statuses, "decision"),
        "held_reasons": rows_table(
            [
                {"reason": reason, "accounts": count, "meaning": _meaning(reason)}
                for reason, count in reasons.items()
            ]
        ),
        "sample": rows_table(link_samples(connection, cohorts)),
    }


def _bars(statuses: Mapping[str, int], reasons: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Decisions first; an account that is held for two reasons is in two bars."""
    colours = {"held": AMBER, "undone": GREY, "no decision": GREY}
    return [
        *((status, count, colours.get(status, GREEN)) for status, count in statuses.items()),
        *((f"held: {reason.replace('_', ' ')}", count, AMBER) for reason, count in reasons.items()),
    ]


def _meaning(reason: str) -> str:
    """The reason in words; older rules or a person may have left an unknown one."""
    return str(HoldReason(reason).reason) if reason in set(HoldReason) else "not known to these rules"


def _decided_under(settings: EntitySettings, account: Any, verdict: Any, candidates: Any) -> Any:
    return decide(account, verdict, candidates, settings)
