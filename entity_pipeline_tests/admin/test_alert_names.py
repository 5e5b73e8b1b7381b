import sys

import pytest

from entity_pipeline.admin.texts import Texts
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.reasons import Language
from entity_pipeline.shared.alerts import sources

SHARED = {
    kind
    for source in (sources.gemini, sources.instagram, sources.notify, sources.runs)
    for kind in source.WHAT_TO_DO
}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_first_page_has_a_name_for_every_shared_alert(language: Language) -> None:
    shell = Texts(language)
    assert {kind for kind in SHARED if shell.known(f"alert.{kind}") is None} == set()


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(
    "domain", [one for one in DOMAINS if one.alerts and one.page], ids=lambda one: one.key
)
def test_the_first_page_has_a_name_for_every_alert_of_a_domain(domain: Domain, language: Language) -> None:
    assert domain.alerts
    assert domain.page
    texts = Texts(language, [domain.page().package])
    kinds = sys.modules[domain.alerts().__module__].WHAT_TO_DO
    assert {kind for kind in kinds if texts.known(f"alert.{kind}") is None} == set()
