import csv

import pytest

from entity_pipeline.core.text.csv_rows import read_csv


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_come_with_the_number_of_their_first_line(separator: str) -> None:
    lines = ["\ufeffName , COUNTRY\n", 'a,"two\n', 'lines"\n', " , \n", "b,KR\n"]
    names, rows = read_csv(line.replace(",", separator) for line in lines)
    assert names == ["name", "country"]
    assert list(rows) == [(2, ["a", "two\nlines"]), (5, ["b", "KR"])]


def test_a_row_that_is_not_csv_is_its_error_and_the_next_is_read() -> None:
    before = csv.field_size_limit(10)
    try:
        _, rows = read_csv(["name\n", "x" * 11 + "\n", "b\n"])
        (line, error), last = rows
    finally:
        csv.field_size_limit(before)
    assert (line, isinstance(error, csv.Error), last) == (2, True, (3, ["b"]))


def test_an_empty_file_has_no_column_and_no_row() -> None:
    names, rows = read_csv([])
    assert (names, list(rows)) == ([], [])
