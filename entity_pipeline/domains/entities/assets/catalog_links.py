"""`catalog_links`: reviewed accounts become links to artists, brands and groups, or are held with a reason."""

from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, PipelineSettings, SettingsAccess
from entity_pipeline.domains.entities.assets.gemini_reviews import gemini_reviews
from entity_pipeline.domains.entities.assets.reporting import (
    GROUP,
    OWNERS,
    counts_table,
    green_when_finished,
    pending_by_cohort,
    rows_table,
)
from entity_pipeline.domains.entities.logic.decide import RULES_VERSION, decide
from entity_pipeline.domains.entities.logic.holds import HoldReason
from entity_pipeline.domains.entities.partitions import cohort_range, daily_partitions
from entity_pipeline.domains.entities.queries.catalog import Applied, Outcome, apply_decision
from entity_pipeline.domains.entities.queries.catalog_rows import attachable, load_account, waiting_for
from entity_pipeline.domains.entities.queries.enrichment import (
    cohort_progress,
    decided_accounts,
    held_reasons,
    link_samples,
    status_counts,
    undecided_accounts,
)
from entity_pipeline.domains.entities.queries.vocabulary import load_vocabulary


class LinkConfig(dg.Config):
    """What one run may do."""

    refresh: Literal["none", "all"] = Field(
        default="none",
        description=(
            "none: only accounts without a decision. all: decide every reviewed account again, for example after "
            "thresholds changed. What a person changed or undid stays."
        ),
    )


@dg.asset(
    name="catalog_links",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    deps=[gemini_reviews],
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    output_required=False,
)
def catalog_links(
    context: dg.AssetExecutionContext,
    config: LinkConfig,
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> Iterator[dg.MaterializeResult]:
    """What each review means for the catalog, written where it is certain and held with its reasons where not.

    **Reads** reviewed accounts of the cohort and the catalog rows that have their names.
    **Writes** `artists`, `brands`, `groups`, the classification of `instagram_accounts`,
    `metadata.entity_enrichment.catalog_link`, and `admin_audit_log` before and after, in one transaction an account.
    Never writes `group_members`, never replaces what a person wrote. `entity-pipeline undo` takes a run back.
    **A re-run** decides only what has no decision yet. The partition turns green when no account is pending.
    """
    cohorts = cohort_range(context.partition_keys)
    outcomes: Counter[str] = Counter()
    held_because = ""
    with operation_db.connection() as connection:
        now = datetime.now(UTC)
        waiting = deque(undecided_accounts(connection, cohorts, now))
        if config.refresh == "all":
            waiting.extend(decided_accounts(connection, cohorts, now))
        waiting.extend(attachable(connection))
        vocabulary = load_vocabulary(connection)
        while waiting:
            gate = settings.gate()
            if isinstance(gate, Closed):
                held_because = gate.reason
                break
            account_id = waiting.popleft()
            applied = apply_decision(
                connection,
                account_id,
                partial(_decided_under, gate.settings),
                context.run.run_id,
                datetime.now(UTC),
                vocabulary=vocabulary,
            )
            outcomes[applied.outcome.value] += 1
            waiting.extend(_followers(connection, account_id, applied))
        progress = cohort_progress(connection, cohorts, datetime.now(UTC))
        metadata = {
            "accounts_decided": sum(outcomes.values()),
            "held_because": held_because or "nothing",
            "rules_version": RULES_VERSION,
            "this_run": counts_table(outcomes, "decision"),
            "all_of_the_cohorts": counts_table(
                status_counts(connection, cohorts, "catalog_link", "status", "no decision"), "decision"
            ),
            "held_reasons": rows_table(
                [
                    {"reason": reason, "accounts": count, "meaning": _meaning(reason)}
                    for reason, count in held_reasons(connection, cohorts).items()
                ]
            ),
            "sample": rows_table(link_samples(connection, cohorts)),
        }
    pending = pending_by_cohort(progress, links=True)
    yield from green_when_finished(context, "catalog_links", pending, metadata)


def _meaning(reason: str) -> str:
    """Older rules, or a person, may have left a reason that is not known here."""
    return HoldReason(reason).sentence if reason in set(HoldReason) else "not known to these rules"


def _decided_under(settings: PipelineSettings, account: Any, verdict: Any, candidates: Any) -> Any:
    return decide(account, verdict, candidates, settings)


def _followers(connection: Any, account_id: Any, applied: Applied) -> list[Any]:
    """Accounts of any cohort that were held because this primary account was not linked yet."""
    if applied.outcome not in (Outcome.LINKED, Outcome.CREATED) or not applied.written:
        return []
    account = load_account(connection, account_id)
    return list(waiting_for(connection, account.handle)) if account and account.handle else []
