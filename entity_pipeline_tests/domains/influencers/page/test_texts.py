"""Every value that the influencers' page shows has a word in both languages."""

import pytest

from entity_pipeline.admin.texts import LANGUAGES, texts_of
from entity_pipeline.core.gemini.batch import BatchOutcome, BatchState
from entity_pipeline.core.reasons import Language
from entity_pipeline.domains.influencers.insights.logic import evidence
from entity_pipeline.domains.influencers.insights.logic.ai_insights import GROUPS
from entity_pipeline.domains.influencers.models import ScrapeStatus, TaskType
from entity_pipeline.domains.influencers.page.list_values import BlogSort
from entity_pipeline.domains.influencers.page.page import InfluencersPage
from entity_pipeline.domains.influencers.queue.requests import Answer
from entity_pipeline.domains.influencers.queue.tasks import Failure, Outcome
from entity_pipeline.shared.tasks.rules import TaskStatus
from entity_pipeline.shared.tasks.store import WORKER_LOST


def choices() -> set[str]:
    """The words that a model may choose from."""
    found: set[str] = set()
    for model in GROUPS.values():
        for one in model.model_json_schema()["properties"].values():
            for option in one.get("anyOf", [one]):
                found |= set(option.get("enum", ()))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_has_a_word(language: Language) -> None:
    wanted = [f"{kind}.{status}" for status in ScrapeStatus for kind in ("status", "status_means")]
    wanted += [f"sort.{sort}" for sort in BlogSort]
    wanted += [f"task_type.{kind}" for kind in TaskType]
    wanted += [f"task_status.{status}" for status in TaskStatus]
    wanted += [f"outcome.{outcome}" for outcome in (*Outcome, *Failure, WORKER_LOST)]
    wanted += [f"asked.{answer}{one}" for answer in Answer for one in ("", ".one")]
    wanted += [f"batch_state.{state}" for state in BatchState if state != BatchState.ENDED]
    wanted += [f"batch_outcome.{outcome}" for outcome in BatchOutcome]
    wanted += [f"group.{group}" for group in GROUPS]
    wanted += [f"field.{name}" for model in GROUPS.values() for name in model.model_fields]
    wanted += [f"value.{choice}" for choice in choices()]
    wanted += [
        f"dropped.{why}"
        for why in (
            evidence.NO_POST,
            evidence.UNKNOWN_POST,
            evidence.NOT_THEIR_WORDS,
            evidence.TOO_MANY,
            evidence.EMPTY,
        )
    ]
    t = texts_of(language, InfluencersPage.package)
    assert [key for key in wanted if t.known(key) is None] == []
