"""What becomes of recorded replies, and which variant of the gate is worth its reasons."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from entity_pipeline.domains.entities.evaluation.logic.recorded_replies import (
    RecordedReply,
    judge_reply,
    read_replies,
    scores,
)
from entity_pipeline.domains.entities.language.mentions import naming
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.judgement.own_replies import own_replies

HERE = Path(__file__).parent
SETTINGS = EntitySettings()


def judged_by_people() -> Sequence[RecordedReply]:
    with (HERE / "replies.jsonl").open(encoding="utf-8") as lines:
        return list(read_replies(lines))


def spellings() -> Sequence[Sequence[str]]:
    with (HERE / "spellings.csv").open(encoding="utf-8", newline="") as lines:
        return [tuple(row.values()) for row in csv.DictReader(lines)]


@pytest.mark.parametrize(
    "recorded", [*judged_by_people(), *own_replies()], ids=lambda recorded: recorded.case
)
def test_what_becomes_of_an_account_is_what_people_say(recorded: RecordedReply) -> None:
    judged = judge_reply(recorded, SETTINGS)
    assert judged.is_right, (judged.decision, judged.reasons, recorded.right)


@pytest.mark.parametrize(("handle", "name_en", "name_ko", "sentence"), spellings())
def test_a_sentence_names_an_entity_in_another_spelling(
    handle: str, name_en: str, name_ko: str, sentence: str
) -> None:
    assert naming(handle, [name_en, name_ko])(sentence)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["Next"], "The mall's new wing will open next year."),
        (["Guess"], "We can only guess who runs it."),
        (["On"], "On the other hand, nothing is known."),
        (["Coach", "코치"], "The coach said so."),
        (["Mango"], "Mango desserts are popular."),
        (["Teamx"], "&Teamx is a group."),
        (["Jung Ho-yeon", "정호연"], "Jung Ha-yeon is a singer."),
        (["Kim Min-ji", "김민지"], "Kim Min-ju is a singer."),
        (["V", "뷔"], "V is a letter."),
        (["Jin", "진"], "Chin is a part of the face."),
        (["ADER ERROR"], "The order error was mended."),
        (["New Jeans"], "She bought new jeans."),
    ],
)
def test_a_look_alike_does_not_name_it(names: list[str], sentence: str) -> None:
    assert not naming("somebody.x", names)(sentence)


def test_the_two_ties_cost_no_coverage_and_let_nothing_wrong_pass() -> None:
    """The weaker variants of the gate write all that is right too, and much that is wrong."""
    found = {}
    for level in ("chunks", "supports", "ties"):
        settings = SETTINGS.model_copy(update={"evidence_level": level})
        replies = [*judged_by_people(), *own_replies()]
        found[level] = scores(judge_reply(recorded, settings) for recorded in replies)["all"]
    assert found["ties"].covered == found["ties"].wanted == found["ties"].written == found["ties"].right
    assert found["supports"].right < found["supports"].written < found["chunks"].written
