from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.shared.audit.provenance import (
    AuditRow,
    by_person,
    fill,
    is_blank,
    last_written,
    undone_columns,
)
from entity_pipeline_tests.domains.entities.cases import some_id


def a_row(
    name: str, after: dict[str, Any] | None, *, undoes: str | None = None, before: Any = None
) -> AuditRow:
    return AuditRow(
        id=some_id(name),
        target_table="brands",
        target_id=some_id("brand"),
        before=before or {},
        after=after,
        created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=1),
        undoes=some_id(undoes) if undoes else None,
    )


@pytest.mark.parametrize(
    ("current", "wish", "last", "column", "expected"),
    [
        pytest.param(None, "new", None, "name_en", "new", id="empty is filled"),
        pytest.param("", "new", None, "name_en", "new", id="blank text is empty"),
        pytest.param("  ", "new", None, "name_en", "new", id="white space is empty"),
        pytest.param("old", "new", "old", "name_en", "new", id="our own value is replaced"),
        pytest.param("theirs", "new", None, "name_en", None, id="a person's value stays"),
        pytest.param("theirs", "new", "old", "name_en", None, id="a person's edit of our value stays"),
        pytest.param(None, "new", "old", "name_en", None, id="what a person emptied stays empty"),
        pytest.param("same", "same", None, "name_en", None, id="nothing to write when equal"),
        pytest.param("old", None, "old", "name_en", None, id="no wish, no write"),
        pytest.param("NA", "KR", None, "country_of_origin", "KR", id="country NA is empty"),
        pytest.param("NA", "KR", "NA", "country_of_origin", "KR", id="country NA written by us is empty"),
        pytest.param("NA", "KR", "JP", "country_of_origin", None, id="country set back to NA stays"),
        pytest.param("JP", "KR", None, "country_of_origin", None, id="a person's country stays"),
        pytest.param("NA", "KR", None, "name_en", None, id="NA is a name elsewhere"),
        pytest.param("unknown", "brand", None, "account_type", "brand", id="type unknown is empty"),
        pytest.param("unknown", "primary", None, "entity_ig_role", "primary", id="role unknown is empty"),
        pytest.param("company", "brand", None, "account_type", None, id="an older type is a person's"),
    ],
)
def test_people_win(current: Any, wish: Any, last: Any, column: str, expected: Any) -> None:
    assert fill(current, wish, last, column=column) == expected


def test_without_a_column_only_null_and_white_space_are_empty() -> None:
    assert fill("NA", "KR", None) is None
    assert is_blank("", None)


@pytest.mark.parametrize(
    ("current", "last", "theirs"), [("x", None, "x"), ("x", "x", None), (None, "x", None)]
)
def test_a_value_is_a_persons_unless_it_is_ours_or_empty(current: Any, last: Any, theirs: Any) -> None:
    assert by_person("name_en", current, last) == theirs


def test_the_last_write_counts() -> None:
    assert last_written([a_row("1", {"a": 1, "b": 1}), a_row("2", {"a": 2})]) == {"a": 2, "b": 1}


def test_an_undone_write_gives_way_to_the_one_before() -> None:
    rows = [a_row("1", {"a": 1}), a_row("2", {"a": 2, "b": 2}), a_row("3", {"a": 1}, undoes="2")]
    assert last_written(rows) == {"a": 1, "b": 2}


def test_an_undone_creation_leaves_nothing_of_ours() -> None:
    rows = [a_row("1", {"a": 1}), a_row("2", None, undoes="1", before={"a": 1})]
    assert last_written(rows) == {}
    assert undone_columns(rows) == {some_id("1"): {"a"}}
