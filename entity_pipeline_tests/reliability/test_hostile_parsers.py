"""Hostile input against every parser: valid inputs with a few wounds, numbered, so that each can be made again.

FUZZ_EXAMPLES=20000 asks for more than the 150 a target of every day. What is promised of each parser stands in
`fuzz/targets.py`; a failure names the target and the number: `targets()["reply"].wounded(7)`.
"""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.core.settings import Open, SettingsRow
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply, parse_reply
from entity_pipeline_tests.fuzz.mutations import nested
from entity_pipeline_tests.fuzz.targets import HANDLE, targets
from entity_pipeline_tests.settings_rows import entities_gate

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))


@pytest.mark.parametrize("name", sorted(targets()))
def test_a_valid_input_keeps_every_promise(name: str) -> None:
    target = targets()[name]
    assert target.seeds
    for seed in target.seeds:
        target.check(seed)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", sorted(targets()))
@settings(max_examples=EXAMPLES)
@given(number=st.integers(0, 2**63))
def test_a_damaged_input_keeps_every_promise(name: str, number: int) -> None:
    target = targets()[name]
    target.check(target.wounded(number))


@pytest.mark.parametrize(
    "name", ["reply", "reply_block", "stored_review", "profile", "settings", "backfill", "tags"]
)
@pytest.mark.parametrize("depth", [90, 900, 1_020])
def test_a_nesting_at_the_edge_of_what_python_can_hold_keeps_every_promise(name: str, depth: int) -> None:
    target = targets()[name]
    if name == "tags":
        target.check("[" * depth + '"nike"' + "]" * depth)
    elif depth < 900:
        target.check(nested(depth))
    for key in target.seeds[0] if isinstance(target.seeds[0], dict) and depth < 900 else ():
        target.check({**target.seeds[0], key: nested(depth)})


def test_the_damage_is_neither_always_fatal_nor_always_harmless() -> None:
    target = targets()["reply_block"]
    blocks = [target.wounded(number) for number in range(200)]
    untouched = sum(block in target.seeds for block in blocks)
    replies = [targets()["reply"].wounded(number) for number in range(200)]
    understood = sum(
        isinstance(parse_reply(read_body(reply), handle=HANDLE), ParsedReply) for reply in replies
    )
    opened = [
        entities_gate(SettingsRow(True, targets()["settings"].wounded(number))) for number in range(200)
    ]
    assert untouched < 40
    assert 40 < understood < 195
    assert 5 < sum(isinstance(found, Open) for found in opened) < 190
