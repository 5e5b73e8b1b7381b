"""The migration files themselves: what dbmate and Supabase's CLI both need of them."""

import re
from pathlib import Path

import pytest

from entity_pipeline.migrations.files import FOLDER

FILES = sorted(FOLDER.glob("*/*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_named_and_framed_as_both_tools_read_it(path: Path) -> None:
    assert re.fullmatch(r"\d{14}_[a-z0-9_]+\.sql", path.name)
    text = path.read_text(encoding="utf-8")
    assert re.match(r"-- migrate:up( transaction:false)?\n", text)
    assert text.endswith("\n-- migrate:down\n"), "the way down stays empty: Supabase's CLI would run it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_concurrent_index_stands_alone_in_its_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    concurrent = (
        re.search(r"^(?:create|create unique|drop) index concurrently if ", text, re.MULTILINE) is not None
    )
    in_batches = "\ndo $$" in text and "commit;" in text
    assert (concurrent or in_batches) == ("transaction:false" in text)
    assert not concurrent or text.count(";\n") == 1, "several statements in one message share a transaction"
    assert not in_batches or re.fullmatch(r"(--.*\n|\n)+do \$\$\n(?:.*\n)+?\$\$;\n\n-- migrate:down\n", text)


def test_numbers_are_unique_across_both_databases_because_they_may_be_one() -> None:
    numbers = [path.name[:14] for path in FILES]
    assert len(set(numbers)) == len(numbers)
