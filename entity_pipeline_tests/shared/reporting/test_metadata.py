"""What a stage shows in the Dagster UI can be stored by Dagster."""

from enum import StrEnum

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from entity_pipeline.shared.reporting.metadata import counts_table, rows_table


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    "shown", [counts_table({Colour.RED: 2}), rows_table([{"colour": Colour.RED, "size": None}])]
)
def test_members_of_an_enumeration_are_stored_as_their_text(shown: dg.TableMetadataValue) -> None:
    assert serialize_value(shown)
    assert "red" in shown.records[0].data.values()


def test_the_largest_count_comes_first_and_an_absent_value_is_a_dash() -> None:
    shown = counts_table({"few": 1, "none": 0, "many": 9})
    assert isinstance(shown, dg.TableMetadataValue)
    assert [dict(record.data) for record in shown.records] == [
        {"outcome": "many", "accounts": 9},
        {"outcome": "few", "accounts": 1},
    ]
    assert rows_table([]).value == "none"
    dashed = rows_table([{"size": None}])
    assert isinstance(dashed, dg.TableMetadataValue)
    assert dict(dashed.records[0].data) == {"size": "–"}
