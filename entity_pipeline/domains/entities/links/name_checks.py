"""The checks of names in the catalog: what they look at, and the list of findings that the UI shows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
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
from entity_pipeline.shared.reporting.metadata import rows_table

NAMES_WINDOW = timedelta(days=30)


def mismatched(operation_db: Database) -> dg.AssetCheckResult:
    """Entities whose two names don't fit together."""
    recent = _recent(operation_db)
    found = ((entity, check_pair(entity)) for entity in recent)
    return _names_result(len(recent), [NameProblem(entity, finding) for entity, finding in found if finding])


def twins(operation_db: Database) -> dg.AssetCheckResult:
    """Entities that are in the catalog twice."""
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


def mixed_up_members(operation_db: Database) -> dg.AssetCheckResult:
    """People who are active members of two groups."""
    since = datetime.now(UTC) - NAMES_WINDOW
    found = patiently_on(operation_db, partial(memberships, since=since))
    if found is None:
        missing = (
            "group_id, artist_id and is_active of group_members can't be read: grant this role select on that table "
            "only, and add the column that is missing."
        )
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
        description=f"{len(found)} findings among {looked_at}: see the list.",
        metadata={"looked_at": looked_at, "found": len(found), "list": rows_table(rows)},
    )
