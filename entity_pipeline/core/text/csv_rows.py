"""CSV files that people make: a header line, then rows. What a row means does not belong here."""

import csv
from collections.abc import Iterable, Iterator

Rows = Iterator[tuple[int, list[str] | csv.Error]]


def read_csv(lines: Iterable[str]) -> tuple[list[str], Rows]:
    """The names of the columns in lower case, and each row with the number of its first line.

    Commas, semicolons or tabs separate the values, whichever the header has most of. A row that is not CSV is its
    error, and the rows after it are still read. Empty rows are left out.

    Raises:
        csv.Error: the header is not CSV.
    """
    lines = iter(lines)
    header = next(lines, "").lstrip("\ufeff")
    delimiter = max(",;\t", key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    return names, _rows(lines, delimiter)


def _rows(lines: Iterator[str], delimiter: str) -> Rows:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = reader.line_num + 2
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
            continue
        if any(value.strip() for value in values):
            yield line, values
