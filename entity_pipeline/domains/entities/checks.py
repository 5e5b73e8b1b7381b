"""Asset checks that look at the databases. Those about one run's own work stand in the asset that did it."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from entity_pipeline.core.ports import Database, SchemaAccess
from entity_pipeline.domains.entities.partitions import every_cohort
from entity_pipeline.domains.entities.queries.enrichment import oldest_pending_review

BACKLOG_LIMIT = timedelta(days=7)


@dg.asset_check(
    asset="tagged_usernames",
    blocking=True,
    description="Both databases have every table and column the pipeline needs, and show us their rows.",
)
def databases_have_the_schema(schema: dg.ResourceParam[SchemaAccess]) -> dg.AssetCheckResult:
    """Going on with half a schema would write half a result."""
    problems = schema.problems()
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"problems": "\n".join(problems) or "none"},
    )


@dg.asset_check(
    asset="instagram_accounts",
    description="No account has been waiting for its first review for more than seven days.",
)
def backlog_is_young(operation_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """A growing backlog means that more accounts arrive than the quota lets through."""
    now = datetime.now(UTC)
    with operation_db.connection() as connection:
        oldest = oldest_pending_review(connection, every_cohort(now))
    age = now - oldest.created_at if oldest else timedelta()
    return dg.AssetCheckResult(
        passed=age <= BACKLOG_LIMIT,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "oldest_waits_days": round(age / timedelta(days=1), 1),
            "oldest_account": oldest.username if oldest else "none",
            "accounts_waiting": oldest.waiting if oldest else 0,
        },
    )


checks = [databases_have_the_schema, backlog_is_young]
