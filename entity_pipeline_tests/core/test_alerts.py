import pytest

from entity_pipeline.core.alerts import Alert


@pytest.mark.parametrize("key", ["entities/backlog_old", "gemini/cap_near:2026-11-20", "runs/x:a:b/c"])
def test_a_key_names_domain_and_kind(key: str) -> None:
    alert = Alert(key, "It is so.", "Do that.")
    assert f"{alert.domain}/{alert.kind}" == key.partition(":")[0]


@pytest.mark.parametrize("key", ["backlog_old", "/backlog_old", "entities/", "entities/backlog_old:", "En/x"])
def test_a_key_without_a_domain_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="must look like domain/kind:subject"):
        Alert(key, "It is so.", "Do that.")
