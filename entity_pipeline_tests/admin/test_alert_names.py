import pytest

from entity_pipeline.admin.texts import Texts
from entity_pipeline.core.reasons import Language
from entity_pipeline.domains.entities.alerts import WHAT_TO_DO
from entity_pipeline.shared.alerts import sources

SHARED = {
    kind
    for source in (sources.gemini, sources.instagram, sources.notify, sources.runs)
    for kind in source.WHAT_TO_DO
}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_first_page_has_a_name_for_every_alert(language: Language) -> None:
    shell = Texts(language)
    assert {kind for kind in SHARED if shell.known(f"alert.{kind}") is None} == set()
    page = Texts(language, ["entity_pipeline.domains.entities.page"])
    assert {kind for kind in WHAT_TO_DO if page.known(f"alert.{kind}") is None} == set()
