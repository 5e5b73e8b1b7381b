"""SIGKILL before and after every statement of an audited change of the settings, then the change once more.

The row and its trail are in two databases, so a kill may leave a trail of a change that was never made. It may never
leave a change without its trail, nor a part of either.
"""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.reliability.kill_attack import KILLED, Child, child_in
from entity_pipeline_tests.reliability.kill_ground import Ground, ground
from entity_pipeline_tests.reliability.kill_wire import PHASES, Watch

Row = dict[str, Any]
BEFORE: Row = {"is_enabled": True, "settings": {}, "updated_by": "migration"}
AFTER: Row = {"is_enabled": False, "settings": {"daily_grounding_cap": 7}, "updated_by": "cli:mina"}


class Changes:
    """One change after the other, each from the same row as it was migrated."""

    def __init__(self, installation: Ground, child: Child) -> None:
        self.installation = installation
        self._child = child
        installation.keep("migrated")

    def change(self, watch: Watch) -> int:
        """One change under a watch; returns how it ended, negative for a signal."""
        self.installation.watch = watch
        code = self._child.run(watch, what="settings", days=[], here=False)
        self.installation.wait_until_left()
        return code

    def row(self) -> tuple[Row, str]:
        """The row without its version, and the version."""
        with psycopg.connect(self.installation.databases[0], autocommit=True) as assets:
            found = assets.execute(
                "select is_enabled, settings, updated_by, updated_at from pipeline_settings where platform = 'gemini'"
            ).fetchone()
        assert found is not None
        is_enabled, settings, updated_by, updated_at = found
        return {
            "is_enabled": is_enabled,
            "settings": settings,
            "updated_by": updated_by,
        }, updated_at.isoformat()

    def trail(self) -> list[tuple[Row, Row]]:
        """The states before and after that the audit log has, oldest first."""
        with psycopg.connect(self.installation.databases[1], autocommit=True) as operation:
            return operation.execute(
                "select before_state, after_state from admin_audit_log where action = 'gemini.settings' "
                "order by created_at"
            ).fetchall()


@pytest.fixture(scope="module")
def changes(database_server: DatabaseServer) -> Iterator[Changes]:
    with ground(database_server) as installation, child_in(installation.environment()) as child:
        yield Changes(installation, child)


@pytest.fixture(scope="module")
def points(changes: Changes) -> list[str]:
    """What an undisturbed change sends."""
    watch = Watch()
    assert changes.change(watch) == 0
    assert changes.row()[0] == AFTER
    return watch.points


def test_the_trail_is_written_between_the_change_and_its_commit(points: list[str]) -> None:
    kinds = [point.partition(":")[0] for point in points]
    changed = next(nth for nth, point in enumerate(points) if "update pipeline_settings" in point)
    audited = next(nth for nth, point in enumerate(points) if "insert into admin_audit_log" in point)
    assert changed < audited < len(points) - 1
    assert (kinds[audited], points[-1].lower()) == ("operation", "assets: commit")


@pytest.mark.timeout(300)
def test_a_killed_change_is_whole_or_not_there_and_can_be_made_again(
    changes: Changes, points: list[str]
) -> None:
    faults = []
    audited = next(nth for nth, point in enumerate(points) if "insert into admin_audit_log" in point)
    for number, point in enumerate(points):
        for phase in PHASES:
            is_audited = number > audited or (number, phase) == (audited, "after")
            is_made = (number, phase) == (len(points) - 1, "after")
            changes.installation.go_back("migrated")
            assert changes.change(Watch(number, phase)) == KILLED
            wrong = faults_of(changes.row(), changes.trail(), is_audited, is_made)
            assert changes.change(Watch()) == 0
            if changes.row()[0] != AFTER:
                wrong.append("the second change was not made")
            wrong += chain_faults(changes.row()[1], changes.trail())
            faults += [f"{phase} {number} ({point}): {one}" for one in wrong]
    assert faults == []


def faults_of(
    row: tuple[Row, str], trail: list[tuple[Row, Row]], is_audited: bool, is_made: bool
) -> list[str]:
    """What is wrong after the kill, before anything else happens."""
    state, version = row
    faults = []
    if state != (AFTER if is_made else BEFORE):
        faults.append(f"the row is {json.dumps(state)}")
    if len(trail) != int(is_audited):
        faults.append(f"the log has {len(trail)} rows")
    if is_made and [after["updated_at"] for _, after in trail] != [version]:
        faults.append("the change is without its trail")
    return faults


def chain_faults(version: str, trail: list[tuple[Row, Row]]) -> list[str]:
    """The trail ends in the row as it is, and each of its rows holds a whole state on both sides."""
    keys = {"is_enabled", "settings", "updated_at", "updated_by"}
    faults = [f"half a state: {side}" for sides in trail for side in sides if side.keys() != keys]
    if not trail or trail[-1][1]["updated_at"] != version:
        faults.append("the last row of the log is not the row's")
    return faults
