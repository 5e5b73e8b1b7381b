import pytest

from entity_pipeline.core.run_address import run_address

RUN = "0a6d7a3e-6f9a-4c6e-9c1c-0d4c5c6f7a8b"


@pytest.mark.parametrize("ui", ["https://d.example", "https://d.example/"])
def test_a_run_has_an_address_in_the_dagster_ui(ui: str) -> None:
    assert run_address(ui, RUN) == f"https://d.example/runs/{RUN}"


@pytest.mark.parametrize(
    ("ui", "run_id"), [(None, RUN), ("", RUN), ("https://d.example", None), ("https://d.example", "../x")]
)
def test_without_the_ui_or_for_another_text_there_is_none(ui: str | None, run_id: str | None) -> None:
    assert run_address(ui, run_id) is None
