"""Asset checks on the databases. Checks of one run's own work are in the asset that did it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database, SchemaAccess
from entity_pipeline.domains.entities.accounts.backlog import Backlog
from entity_pipeline.domains.entities.links.logic.name_checks import (
    NamedEntity,
    NameFinding,
    NameProblem,
    check_pair,
    in_several_groups,
    look_the_same,
    same_in_two_scripts,
)
from entity_pipeline.domains.entities.links.queries.name_checks import (
    memberships,
    possible_twins,
    recent_entities,
)
from entity_pipeline.domains.entities.models import EntityTable
from entity_pipeline.domains.entities.partitions import every_cohort
from entity_pipeline.domains.entities.schema import NEEDS
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.reporting.metadata import rows_table
from entity_pipeline.shared.schema import shared_needs

BACKLOG_LIMIT = timedelta(days=7)
NAMES_WINDOW = timedelta(days=30)


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
        metadata={"problems": "\n".join(problems) or "none"},
    )


@dg.asset_check(
    asset="instagram_accounts",
    description="No account has been waiting for its first review for more than seven days.",
)
def backlog_is_young(assets_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about a growing backlog, which means that more accounts arrive than the quota allows."""
    now = datetime.now(UTC)
    oldest = patiently_on(assets_db, lambda assets: Backlog(assets, every_cohort(now)).oldest_review())
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


@dg.asset_check(
    asset="catalog_links",
    description=(
        "The Korean and the English name of an entity match in script, in sound, and as stage or legal name. "
        "Checks entities that the pipeline wrote or linked within 30 days."
    ),
)
def names_fit_together(operation_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about mismatched names. What the names alone can't show, such as a translation, is not a warning."""
    recent = _recent(operation_db)
    found = ((entity, check_pair(entity)) for entity in recent)
    return _names_result(len(recent), [NameProblem(entity, finding) for entity, finding in found if finding])


@dg.asset_check(
    asset="catalog_links",
    description=(
        "No entity is in the catalog twice, under the same name or once in each script. "
        "Compares entities that the pipeline wrote or linked within 30 days with all others."
    ),
)
def no_entity_is_there_twice(operation_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about twins that people created, or that were created before the second name was known."""
    since = datetime.now(UTC) - NAMES_WINDOW
    recent = _recent(operation_db)
    pairs = [
        pair
        for table in EntityTable
        for pair in patiently_on(operation_db, partial(possible_twins, table=table, since=since))
    ]
    same = [
        NameProblem(one, NameFinding.SAME_NAME_TWICE, (other,))
        for one, other in pairs
        if look_the_same(one, other)
    ]
    return _names_result(len(recent), [*same, *same_in_two_scripts(recent)])


@dg.asset_check(
    asset="catalog_links",
    description=(
        "No person is an active member of two groups, except for parts of one group. "
        "Checks artists that the pipeline wrote or linked within 30 days."
    ),
)
def nobody_is_in_two_groups(operation_db: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Warn about memberships that may mix up two people of one name; `group_members` itself is never written."""
    since = datetime.now(UTC) - NAMES_WINDOW
    found = patiently_on(operation_db, partial(memberships, since=since))
    if found is None:
        missing = "This role may not read group_members: grant it select on that table only."
        return dg.AssetCheckResult(
            passed=True, severity=dg.AssetCheckSeverity.WARN, metadata={"not_looked_at": missing}
        )
    people = {membership.person.id for membership in found}
    return _names_result(len(people), list(in_several_groups(found)))


def _recent(operation_db: Database) -> list[NamedEntity]:
    since = datetime.now(UTC) - NAMES_WINDOW
    return [
        entity
        for table in EntityTable
        for entity in patiently_on(operation_db, partial(recent_entities, table=table, since=since))
    ]


def _names_result(looked_at: int, found: Sequence[NameProblem]) -> dg.AssetCheckResult:
    rows = [
        {
            "entity": item.entity.shown,
            "table": item.entity.table.value,
            "id": str(item.entity.id),
            "why": item.finding.why,
            "others": "; ".join(f"{other.shown} ({other.table.value} {other.id})" for other in item.others)
            or None,
            "what_to_do": item.finding.what_to_do,
        }
        for item in found
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"looked_at": looked_at, "found": len(found), "list": rows_table(rows)},
    )


checks = [
    databases_have_the_schema,
    backlog_is_young,
    names_fit_together,
    no_entity_is_there_twice,
    nobody_is_in_two_groups,
]
