"""Asset checks on the databases. Checks of one run's own work are in the asset that did it."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database, SchemaAccess
from entity_pipeline.domains.entities.schema import NEEDS
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.schema import shared_needs

BACKLOG_LIMIT = timedelta(days=7)


@dg.asset_check(
    asset="tagged_usernames",
    blocking=True,
    description="Both databases have every table and column that the pipeline needs, and show their rows to it.",
)
def databases_have_the_schema(schema: dg.ResourceParam[SchemaAccess]) -> dg.AssetCheckResult:
    """Going on with half a schema would write half a result."""
    problems = patiently(lambda: schema.problems(shared_needs(EntitySettings.row), NEEDS))
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR,
        description=" ".join(problems[:3]) or "Nothing is missing.",
        metadata={"problems": "\n".join(problems) or "none"},
    )


@dg.asset_check(
    asset="instagram_accounts",
    description="No account has been waiting for its first review for more than seven days.",
)
def backlog_is_young(assets_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about a growing backlog, which means that more accounts arrive than the quota allows."""
    from entity_pipeline.domains.entities.accounts.backlog import Backlog
    from entity_pipeline.domains.entities.cohorts import every_cohort

    now = datetime.now(UTC)
    oldest = patiently_on(assets_db, lambda assets: Backlog(assets, every_cohort(now)).oldest_review())
    age = now - oldest.created_at if oldest else timedelta()
    return dg.AssetCheckResult(
        passed=age <= BACKLOG_LIMIT,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"The account that has waited longest for its first review has waited {age.days} days; "
        f"the limit is {BACKLOG_LIMIT.days}.",
        metadata={
            "oldest_waits_days": round(age / timedelta(days=1), 1),
            "oldest_account": oldest.username if oldest else "none",
            "accounts_waiting": oldest.waiting if oldest else 0,
        },
    )


@dg.asset_check(
    asset="catalog_links",
    description=(
        "The Korean and the English name of an entity match in script, in sound, and as stage or legal name. "
        "Checks entities that the pipeline wrote or linked within 30 days."
    ),
)
def names_fit_together(operation_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about mismatched names. What the names alone can't show, such as a translation, is not a warning."""
    from entity_pipeline.domains.entities.links.name_checks import mismatched

    return mismatched(operation_db)


@dg.asset_check(
    asset="catalog_links",
    description=(
        "No entity is in the catalog twice, under the same name or once in each script. "
        "Compares entities that the pipeline wrote or linked within 30 days with all others."
    ),
)
def no_entity_is_there_twice(operation_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about twins that people created, or that were created before the second name was known."""
    from entity_pipeline.domains.entities.links.name_checks import twins

    return twins(operation_db)


@dg.asset_check(
    asset="catalog_links",
    description=(
        "No person is an active member of two groups, except for parts of one group. "
        "Checks artists that the pipeline wrote or linked within 30 days."
    ),
)
def nobody_is_in_two_groups(operation_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about memberships that may mix up two people of one name; `group_members` itself is never written."""
    from entity_pipeline.domains.entities.links.name_checks import mixed_up_members

    return mixed_up_members(operation_db)


checks = [
    databases_have_the_schema,
    backlog_is_young,
    names_fit_together,
    no_entity_is_there_twice,
    nobody_is_in_two_groups,
]
