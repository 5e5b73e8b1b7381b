"""Two domains that write the same row, each with its own trail."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
import pytest

from entity_pipeline.core.audit import COMMAND_ACTOR, SYSTEM_ACTOR
from entity_pipeline.shared.audit.writer import AuditWriter
from entity_pipeline.shared.database.round_trip import RoundTrip
from entity_pipeline_tests.domains.entities.cases import some_id

Connection = psycopg.Connection[Any]

ROW = some_id("a brand")
ONE, OTHER = AuditWriter("one"), AuditWriter("other")


def write(connection: Connection, writer: AuditWriter, after: Mapping[str, Any]) -> None:
    trip = RoundTrip(connection)
    before = dict.fromkeys(after)
    writer.add(
        trip, "linked", table="brands", target_id=ROW, before=before, after=after, metadata={"run_id": "r"}
    )
    trip.go()


def ours(connection: Connection, writer: AuditWriter) -> Mapping[str, Any]:
    trip = RoundTrip(connection)
    asked = writer.ask_ours(trip, "brands", ROW)
    trip.go()
    return asked.value


def undo(connection: Connection, writer: AuditWriter) -> None:
    """All that the writer wrote, by a person at a command line."""
    for row in writer.history(connection, "brands", ROW):
        writer.insert_undo(
            connection, row, before=row.after or {}, after=row.before, metadata={}, actor=COMMAND_ACTOR
        )


def test_a_domain_sees_only_what_it_wrote_itself(operation: Connection) -> None:
    write(operation, ONE, {"name_en": "One"})
    write(operation, OTHER, {"name_en": "Other", "name_ko": "다른"})
    assert ours(operation, ONE) == {"name_en": "One"}
    assert ours(operation, OTHER) == {"name_en": "Other", "name_ko": "다른"}


def test_an_undo_of_one_domain_leaves_the_writes_of_the_other(operation: Connection) -> None:
    write(operation, ONE, {"name_en": "One"})
    write(operation, OTHER, {"name_en": "Other"})
    undo(operation, ONE)
    assert (ours(operation, ONE), ours(operation, OTHER)) == ({}, {"name_en": "Other"})


@pytest.mark.parametrize("pipeline", ["one", "other"])
def test_the_rows_name_their_domain_in_action_and_metadata(operation: Connection, pipeline: str) -> None:
    writer = AuditWriter(pipeline)
    write(operation, writer, {"name_en": "Name"})
    [written] = writer.history(operation, "brands", ROW)
    undo(operation, writer)
    rows = operation.execute(
        "select admin_user_id, action, metadata ->> 'pipeline', (metadata ->> 'undoes')::uuid "
        "from admin_audit_log order by created_at"
    ).fetchall()
    undone: list[tuple[UUID, str, str, UUID | None]] = [
        (SYSTEM_ACTOR, f"{pipeline}.linked", pipeline, None),
        (COMMAND_ACTOR, f"{pipeline}.undo", pipeline, written.id),
    ]
    assert rows == undone
