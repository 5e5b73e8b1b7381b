"""Every value that the entities' page shows has a word in both languages."""

import pytest

from entity_pipeline.admin.texts import LANGUAGES, texts_of
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.core.reasons import Language
from entity_pipeline.domains.entities.accounts.logic.standing import AccountState
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline.domains.entities.page.page import EntitiesPage
from entity_pipeline.domains.entities.page.queue_values import QueueSort
from entity_pipeline.domains.entities.reviews.logic.reply import UnparseableReason


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_has_a_word(language: Language) -> None:
    wanted = [f"{kind}.{state}" for state in AccountState for kind in ("state", "state_means")]
    wanted += [f"sort.{sort}" for sort in QueueSort]
    wanted += [f"reason.{reason}" for reason in (*HoldReason, *UnparseableReason)]
    wanted += [
        f"reason.{reason}" for reason in (Unanswered.OVERLOADED, Unanswered.UNREACHABLE, Unanswered.NO_REPLY)
    ]
    wanted += [f"type.{kind}" for kind in (*AccountType, "none")]
    wanted += [f"role.{role}" for role in (*AccountRole, "none")]
    t = texts_of(language, EntitiesPage.package)
    assert [key for key in wanted if t.known(key) is None] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_to_hold_an_account_has_a_sentence(language: Language) -> None:
    t = texts_of(language, EntitiesPage.package)
    sentences = [t.reason(reason.reason) for reason in HoldReason]
    assert len(set(sentences)) == len(HoldReason)
    assert all(sentence.endswith(".") for sentence in sentences)
