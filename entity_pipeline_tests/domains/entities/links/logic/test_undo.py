from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.domains.entities.links.logic.undo import (
    CHANGED_SINCE,
    STILL_LINKED,
    deleted_by_others,
    outstanding,
    restoration,
    touched_columns,
)
from entity_pipeline.shared.audit.provenance import AuditRow
from entity_pipeline_tests.domains.entities.cases import some_id

Columns = dict[str, Any] | None


def wrote(name: str, before: Columns, after: Columns, run_id: str = "run-1", undoes: str = "") -> AuditRow:
    """One line of our trail; the name is its id."""
    return AuditRow(
        id=some_id(name),
        target_table="brands",
        target_id=some_id("brand"),
        before=before,
        after=after,
        created_at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=len(name)),
        run_id=run_id,
        undoes=some_id(undoes) if undoes else None,
    )


FIRST = wrote("first", {"name_en": None}, {"name_en": "A"})
SECOND = wrote("second", {"name_en": "A"}, {"name_en": "B"})
LATER = wrote("later", {"name_en": "A"}, {"name_en": "B"}, run_id="run-2")
CREATED = wrote("created", None, {"name_en": "A", "name_ko": None})
UNDONE = wrote("undone", {"name_en": "A"}, {"name_en": None}, undoes="first")
ALL = {row.id for row in (FIRST, SECOND, CREATED)}


@pytest.mark.parametrize(
    ("row", "past", "now", "values", "kept"),
    [
        (FIRST, [FIRST], "A", {"name_en": None}, {}),
        (FIRST, [FIRST], "P", {}, {"name_en": CHANGED_SINCE}),
        (FIRST, [FIRST], None, {}, {}),
        (SECOND, [FIRST, SECOND], "B", {"name_en": "A"}, {}),
        (SECOND, [FIRST, SECOND], "A", {}, {"name_en": CHANGED_SINCE}),
        (SECOND, [FIRST, SECOND], None, {}, {}),
        (FIRST, [FIRST, SECOND], "A", {}, {"name_en": CHANGED_SINCE}),
        (FIRST, [FIRST, LATER], "B", {}, {"name_en": "run run-2 wrote it since"}),
        (FIRST, [FIRST, LATER], "P", {}, {"name_en": CHANGED_SINCE}),
        (FIRST, [FIRST, LATER], None, {}, {}),
        (FIRST, [FIRST, UNDONE], "A", {}, {}),
        (SECOND, [CREATED, SECOND], None, {}, {"name_en": CHANGED_SINCE}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_value_is_restored_if_it_is_our_last_one_and_listed_if_it_is_not_the_original(
    row: AuditRow, past: list[AuditRow], now: Any, values: dict[str, Any], kept: dict[str, str]
) -> None:
    plan = restoration(row, past, {"name_en": now}, ALL)
    assert (plan.values, plan.kept) == (values, kept)


@pytest.mark.parametrize(
    ("earlier", "linked", "stays"),
    [(None, True, True), (None, False, False), ("unknown", True, False), ("secondary", True, False)],
)
def test_only_a_role_that_was_empty_before_has_to_wait_for_the_link(
    earlier: str | None, linked: bool, stays: bool
) -> None:
    row = wrote("role", {"entity_ig_role": earlier}, {"entity_ig_role": "primary"})
    current = {"entity_ig_role": "primary", "group_id": "g" if linked else None}
    plan = restoration(row, [row], current, {row.id})
    kept = {"entity_ig_role": STILL_LINKED} if stays else {}
    assert (plan.values, plan.kept) == ({} if stays else {"entity_ig_role": earlier}, kept)


def test_a_role_goes_together_with_its_link() -> None:
    row = wrote(
        "link", {"entity_ig_role": None, "brand_id": None}, {"entity_ig_role": "primary", "brand_id": "b"}
    )
    plan = restoration(row, [row], {"entity_ig_role": "primary", "brand_id": "b"}, {row.id})
    assert (plan.values, plan.kept) == ({"entity_ig_role": None, "brand_id": None}, {})


def test_what_an_undo_has_put_back_is_outstanding_no_more() -> None:
    assert outstanding(FIRST, [FIRST]) == {"name_en"}
    assert outstanding(FIRST, [FIRST, UNDONE]) == frozenset()


@pytest.mark.parametrize(
    ("past", "by_others"),
    [
        ([FIRST], True),
        ([CREATED, FIRST], False),
        ([wrote("elsewhere", None, {"name_en": "A"}), FIRST], True),
        ([FIRST, wrote("removed", {"name_en": "A"}, None, undoes="first")], False),
        ([FIRST, wrote("null", {"name_en": "A"}, None)], True),
    ],
    ids=["filled", "created in what is undone", "created before", "removed by an undo", "no undo"],
)
def test_a_row_that_is_gone_was_deleted_by_others_unless_we_made_or_removed_it(
    past: list[AuditRow], by_others: bool
) -> None:
    assert deleted_by_others(past, ALL) is by_others


@pytest.mark.parametrize(
    ("past", "current", "touched"),
    [
        ([CREATED], {"name_en": "A", "name_ko": None}, []),
        ([CREATED], {"name_en": "A", "name_ko": None, "updated_at": "later", "created_at": "then"}, []),
        ([CREATED], {"name_en": None, "name_ko": "P"}, ["name_en", "name_ko"]),
        ([CREATED, SECOND], {"name_en": "B", "name_ko": None}, []),
        (
            [CREATED, wrote("back", {"name_en": "A"}, {"name_en": None}, undoes="created")],
            {"name_en": None, "name_ko": None},
            [],
        ),
    ],
)
def test_a_column_of_a_created_row_is_touched_when_it_holds_what_no_write_of_ours_left(
    past: list[AuditRow], current: dict[str, Any], touched: list[str]
) -> None:
    assert touched_columns(past, current) == touched
