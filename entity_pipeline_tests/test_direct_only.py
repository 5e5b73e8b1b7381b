"""Each test that goes straight to the server is listed, exists, and has a reason."""

from pathlib import Path

import pytest

from entity_pipeline_tests.direct_only import DIRECT_ONLY, reason

HERE = Path(__file__).parent


@pytest.mark.parametrize("place", DIRECT_ONLY)
def test_every_test_that_is_left_out_exists(place: str) -> None:
    file, _, name = place.partition("::")
    assert f"def {name}(" in (HERE / file).read_text() if name else (HERE / file).is_file()


def test_a_test_is_left_out_by_its_file_or_by_its_name_whatever_its_parameters() -> None:
    assert reason("reliability/test_kills.py::test_any[part-1]") == reason("reliability/test_kills.py")
    place = "test_databases.py::test_a_database_is_dropped_after_its_test_even_while_a_client_is_connected"
    assert reason(f"{place}[x]") == DIRECT_ONLY[place]
    assert reason("test_databases.py::test_another") is None
    assert reason("resources/test_postgres.py::test_many_threads_share_few_connections") is None
