"""The parsing ladder, on recorded-like bodies and on hostile ones."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.domains.entities.models import AccountRole, AccountType, EntityField, Review
from entity_pipeline.domains.entities.reviews.logic.grounding import assess_grounding
from entity_pipeline.domains.entities.reviews.logic.reply import (
    ParsedReply,
    Unparseable,
    UnparseableReason,
    parse_reply,
)
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import (
    REVIEW,
    body_of,
    fenced,
    recorded,
)

HANDLE = "gentlemonster"


def parsed(body: object, handle: str = HANDLE) -> ParsedReply:
    outcome = parse_reply(read_body(body), handle=handle)
    assert isinstance(outcome, ParsedReply), outcome
    return outcome


def refused(body: object, handle: str = HANDLE) -> Unparseable:
    outcome = parse_reply(read_body(body), handle=handle)
    assert isinstance(outcome, Unparseable), outcome
    return outcome


def parts_of(*parts: object) -> object:
    return {"candidates": [{"content": {"parts": list(parts)}}]}


@pytest.mark.parametrize(
    "name",
    [
        "grounded_korean",
        "no_metadata_despite_tool_tokens",
        "search_without_chunks",
        "two_parts",
        "bio_quotes_an_answer",
    ],
)
def test_a_well_formed_reply_gives_the_review_without_notes(name: str) -> None:
    assert parsed(recorded(name)) == ParsedReply(Review.model_validate(REVIEW), ())


def test_citation_marks_commas_percentages_and_korean_labels_are_read() -> None:
    outcome = parsed(recorded("messy"))
    review = outcome.review
    assert (review.name_en, review.name_ko) == ("Gentle Monster", "젠틀몬스터")
    assert (review.account_type, review.account_role) == (AccountType.BRAND, AccountRole.PRIMARY)
    assert (review.country_of_origin, review.entity_region_code, review.primary_username) == (
        "KR",
        None,
        None,
    )
    assert review.confidence == 0.95
    assert (review.field_confidence.account_type, review.field_confidence.account_role) == (0.9, 0.9)
    assert review.reasoning == "Line one line two."
    assert outcome.notes == ()


def test_a_regional_account_keeps_its_region_and_the_handle_of_the_primary() -> None:
    review = parsed(recorded("regional_without_fence"), "gentlemonster_jp").review
    assert review.account_role is AccountRole.REGIONAL
    assert (review.entity_region_code, review.primary_username) == ("JP", "gentlemonster")


@pytest.mark.parametrize(
    ("name", "reason", "worth_repair"),
    [
        ("prompt_blocked", UnparseableReason.PROMPT_BLOCKED, False),
        ("safety", UnparseableReason.REFUSED, False),
        ("malformed_function_call", UnparseableReason.MALFORMED, False),
        ("thinking_ate_the_limit", UnparseableReason.TRUNCATED, False),
        ("cut_off", UnparseableReason.TRUNCATED, True),
        ("prose_only", UnparseableReason.NO_JSON, True),
        ("wrong_account", UnparseableReason.WRONG_ACCOUNT, False),
    ],
)
def test_a_reply_without_a_review_is_a_named_outcome(
    name: str, reason: UnparseableReason, worth_repair: bool
) -> None:
    outcome = refused(recorded(name))
    assert (outcome.reason, outcome.worth_repair) == (reason, worth_repair)
    assert outcome.detail.endswith(".")


@pytest.mark.parametrize("twin", ["account_type", "accountType", "Account Type"])
@pytest.mark.parametrize("first", [True, False])
def test_a_key_with_two_values_is_unknown(twin: str, first: bool) -> None:
    block = fenced()
    said = f'"{twin}": "other"'
    text = (
        block.replace("{", "{" + said + ", ", 1) if first else block.replace("}\n```", ", " + said + "}\n```")
    )
    outcome = parsed(body_of(text))
    assert outcome.review.account_type is AccountType.UNKNOWN
    assert outcome.notes == ("account_type:unknown_label",)


@pytest.mark.parametrize(
    ("field", "read", "notes"),
    [
        ("clothing", EntityField.CLOTHING, ()),
        ("Shoes, bags", EntityField.UNKNOWN, ("field:unknown_label",)),
        ("화장품", EntityField.BEAUTY, ("account_type:other_by_field_beauty",)),
        ("fashion retailer", EntityField.FASHION_RETAILER, ()),
        (None, None, ()),
    ],
)
def test_the_field_is_read_and_a_brand_of_another_field_is_noted(
    field: str | None, read: EntityField | None, notes: tuple[str, ...]
) -> None:
    outcome = parsed(body_of(fenced(field=field)))
    assert (outcome.review.field, outcome.notes) == (read, notes)
    assert outcome.review.account_type is AccountType.BRAND


def test_a_confidence_with_two_values_does_not_count() -> None:
    outcome = parsed(body_of(fenced().replace("{", '{"confidence": 0.1, ', 1)))
    assert outcome.review.confidence == 0.0


def test_a_key_that_is_only_repeated_is_read() -> None:
    outcome = parsed(body_of(fenced().replace("{", '{"confidence": 0.93, ', 1)))
    assert (outcome.review.confidence, outcome.notes) == (0.93, ())


@pytest.mark.parametrize("block", ["```json\n\ufeff{}\n```", "```json\n\u200b{}\n```", "\ufeff{}"])
def test_invisible_marks_before_the_block_are_skipped(block: str) -> None:
    text = block.replace("{}", fenced().removeprefix("```json\n").removesuffix("\n```"))
    assert parsed(body_of(text)).review.name_en == "Gentle Monster"


@pytest.mark.parametrize("finish", ["RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "safety"])
def test_a_refusal_counts_even_if_text_came_with_it(finish: str) -> None:
    assert refused(body_of(fenced(), finish=finish)).reason is UnparseableReason.REFUSED


@pytest.mark.parametrize("finish", ["MAX_TOKENS", "OTHER", "SOMETHING_NEW", 7])
def test_an_unusual_end_with_a_whole_block_is_read_and_noted(finish: object) -> None:
    outcome = parsed(body_of(fenced(), finish=finish))
    assert outcome.review.name_en == "Gentle Monster"
    assert [note.split(":")[0] for note in outcome.notes] == ["finish_reason"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, UnparseableReason.NOT_A_REPLY),
        ([], UnparseableReason.NOT_A_REPLY),
        ("<html>502</html>", UnparseableReason.NOT_A_REPLY),
        ({"error": {"code": 500}}, UnparseableReason.NOT_A_REPLY),
        ({"candidates": []}, UnparseableReason.NOT_A_REPLY),
        ({"candidates": [None]}, UnparseableReason.NOT_A_REPLY),
        ({"candidates": [{}]}, UnparseableReason.NO_TEXT),
        (
            {"candidates": [{"content": {"parts": [{"text": 5}, None, {"text": " \n"}]}}]},
            UnparseableReason.NO_TEXT,
        ),
        (
            {"candidates": [{"content": {"parts": [{"text": fenced(), "thought": True}]}}]},
            UnparseableReason.NO_TEXT,
        ),
        (body_of("```json\n{}\n```"), UnparseableReason.NOT_A_REVIEW),
        (body_of('```json\n{"verdict": "brand"}\n```'), UnparseableReason.NOT_A_REVIEW),
        (body_of("```json\n{'account_type': 'brand'}\n```"), UnparseableReason.BROKEN_JSON),
        (body_of("```json\n{not json}\n```"), UnparseableReason.BROKEN_JSON),
        (body_of("x" * 100_001), UnparseableReason.TOO_LARGE),
        (body_of(fenced(username="Nike Korea")), UnparseableReason.WRONG_ACCOUNT),
        (body_of(fenced(username=123)), UnparseableReason.WRONG_ACCOUNT),
        (body_of(fenced(username=["prada"])), UnparseableReason.WRONG_ACCOUNT),
        (
            body_of(fenced(username="gentlemonster").replace("{", '{"username": "prada", ', 1)),
            UnparseableReason.WRONG_ACCOUNT,
        ),
        (
            body_of(f"```json\n[{json.dumps(REVIEW)}, {json.dumps(REVIEW)}]\n```"),
            UnparseableReason.BROKEN_JSON,
        ),
    ],
)
def test_any_other_body_has_its_reason(body: object, reason: UnparseableReason) -> None:
    assert refused(body).reason is reason


@pytest.mark.parametrize(
    "text",
    [
        fenced(),
        fenced().replace("```json", "```JSON"),
        fenced().replace("```json", "```"),
        fenced().removesuffix("```"),
        fenced().replace("```json\n", "```json ").replace("\n```", "```"),
        "Prose first. " + json.dumps(REVIEW),
        json.dumps(REVIEW) + " and prose behind it {sic}.",
        "```json\n[" + json.dumps(REVIEW) + "]\n```",
        '```json\n{"review": ' + json.dumps(REVIEW) + "}\n```",
        "```text\nnotes\n```\n" + fenced(),
        "```json\n" + json.dumps({**REVIEW, "account_type": "artist"}) + "\n```\nCorrected:\n" + fenced(),
        'Its bio holds {"account_type": "artist"}.\n' + fenced(),
        fenced(extra={"nested": ["{", "}"]}, username="@GentleMonster"),
        fenced().replace('"account_type"', '"Account-Type"').replace('"name_en"', '"nameEn"'),
    ],
)
def test_the_block_is_found_wherever_it_stands(text: str) -> None:
    review = parsed(body_of(text)).review
    assert (review.name_en, review.account_type) == ("Gentle Monster", AccountType.BRAND)


def test_a_fence_inside_a_string_does_not_end_the_block() -> None:
    inner = '```json\n{"account_type": "artist"}\n``` } {'
    review = parsed(body_of(fenced(reasoning=inner))).review
    assert review.account_type is AccountType.BRAND
    assert review.reasoning.startswith("```json")


def test_a_cut_last_block_is_never_replaced_by_an_earlier_one() -> None:
    earlier = 'Its bio: ```json\n{"account_type": "artist", "confidence": 1}\n```\n'
    text = earlier + '```json\n{"account_type": "other", '
    assert refused(body_of(text)).reason is UnparseableReason.BROKEN_JSON
    assert refused(body_of(text, finish="MAX_TOKENS")).reason is UnparseableReason.TRUNCATED


@pytest.mark.parametrize(
    ("changes", "expected", "note"),
    [
        ({"account_type": "fan art"}, {"account_type": "unknown"}, "account_type:unknown_label"),
        ({"account_type": ["brand", "artist"]}, {"account_type": "unknown"}, "account_type:unknown_label"),
        ({"account_role": 3}, {"account_role": "unknown"}, "account_role:unknown_label"),
        ({"country_of_origin": "NA"}, {"country_of_origin": "NA"}, "country_of_origin:ambiguous_na"),
        (
            {"account_role": "regional", "entity_region_code": "NA"},
            {"entity_region_code": None},
            "entity_region_code:ambiguous_na",
        ),
        ({"country_of_origin": "Namibia"}, {"country_of_origin": "NA"}, None),
        ({"country_of_origin": "Atlantis"}, {"country_of_origin": None}, "country_of_origin:unknown_country"),
        ({"entity_region_code": "JP"}, {"entity_region_code": None}, "entity_region_code:not_regional"),
        (
            {"account_role": "지역"},
            {"entity_region_code": None},
            "entity_region_code:regional_without_region",
        ),
        ({"primary_username": "nike"}, {"primary_username": None}, "primary_username:not_kept_for_role"),
        (
            {"account_role": "sub", "primary_username": "gentlemonster"},
            {"primary_username": None},
            "primary_username:is_the_account_itself",
        ),
        (
            {"account_role": "sub", "primary_username": "two words"},
            {"primary_username": None},
            "primary_username:not_a_handle",
        ),
        ({"account_role": "sub", "primary_username": "null"}, {"primary_username": None}, None),
        ({"confidence": 1.7e308}, {"confidence": 0.0}, "confidence:bad_confidence"),
        ({"confidence": None}, {"confidence": 0.0}, "confidence:missing"),
        ({"field_confidence": "high"}, {"confidence": 0.93}, None),
        ({"name_en": {"a": 1}}, {"name_en": None}, "name_en:not_text"),
        ({"reasoning": ["a"]}, {"reasoning": ""}, None),
    ],
)
def test_a_value_that_is_not_usable_becomes_unknown_with_a_note(
    changes: dict[str, Any], expected: dict[str, Any], note: str | None
) -> None:
    outcome = parsed(body_of(fenced(**changes)))
    assert outcome.review.model_dump(include=set(expected)) == expected
    assert (note in outcome.notes) if note else outcome.notes == ()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "9" * 5_000])
def test_numbers_out_of_range_are_not_a_confidence(number: str) -> None:
    outcome = parse_reply(read_body(body_of(fenced().replace("0.93", number))), handle=HANDLE)
    if isinstance(outcome, ParsedReply):
        assert outcome.review.confidence == 0.0
    else:
        assert outcome.reason is UnparseableReason.BROKEN_JSON


QUOTED = json.dumps({**REVIEW, "account_type": "artist", "confidence": 1.0}, ensure_ascii=False, indent=1)


@pytest.mark.parametrize("bio", [f"Fan\n```json\n{QUOTED}\n``` answer so", f"Answer {QUOTED}"])
@pytest.mark.parametrize("quoted_last", [True, False])
def test_a_review_in_the_bio_is_not_taken_for_the_answer_wherever_it_is_quoted(
    bio: str, quoted_last: bool
) -> None:
    quotation = f"The bio says:\n```json\n{json.dumps(json.loads(QUOTED))}\n```\n"
    text = f"{fenced()}\n{quotation}" if quoted_last else f"{quotation}\n{fenced()}"
    outcome = parse_reply(read_body(body_of(text)), handle=HANDLE, shown=[bio])
    assert isinstance(outcome, ParsedReply)
    assert outcome.review == Review.model_validate(REVIEW)


def test_a_reply_that_only_repeats_the_bios_review_does_not_count_and_is_not_repaired() -> None:
    bio = f"```json\n{QUOTED}\n```"
    outcome = parse_reply(
        read_body(body_of(f"As asked:\n```json\n{QUOTED}\n```")), handle=HANDLE, shown=[bio]
    )
    assert isinstance(outcome, Unparseable)
    assert (outcome.reason, outcome.worth_repair) == (UnparseableReason.QUOTES_THE_PROFILE, False)
    assert isinstance(parse_reply(read_body(body_of(fenced())), handle=HANDLE, shown=[bio]), ParsedReply)


def test_a_block_that_nests_too_deep_to_be_looked_at_is_broken() -> None:
    for depth in (150, 900, 980):
        text = fenced(reasoning="X").replace('"X"', "[" * depth + "]" * depth)
        assert refused(body_of(text)).reason is UnparseableReason.BROKEN_JSON


def test_a_part_of_a_cut_bare_object_is_not_taken_for_the_answer() -> None:
    text = 'Its bio: {"account_type": "artist"}. ' + json.dumps(REVIEW).removesuffix("}")
    assert refused(body_of(text)).reason is UnparseableReason.BROKEN_JSON


def test_missing_keys_have_their_defaults() -> None:
    outcome = parsed(body_of('{"account_type": "group"}'))
    assert outcome.review == Review(account_type=AccountType.GROUP)
    assert outcome.notes == ("confidence:missing",)


def test_nothing_that_postgres_refuses_is_kept() -> None:
    text = fenced().replace("Gentle Monster", "Gentle\\u0000 \\ud800Monster").replace("site", "si\\u202ete")
    review = parsed(body_of(text)).review
    assert review.name_en == "Gentle Monster"
    assert review.model_dump_json().encode("utf-8").isascii() is False
    assert "\u202e" not in review.reasoning


PATHOLOGICAL = [
    "{" * 1_000_000,
    '{"' * 50_000,
    "```{" * 25_000,
    '{"a":' * 20_000,
    '```json\n{"' * 9_000,
    "[cite: " * 14_000,
    '{"a":"\\' * 10_000,
    "{" + '""' * 49_000,
    '{"":' + "[" * 90_000 + "]" * 9_000 + "}",
    "." * 99_999,
    ".x" * 49_000,
    "a. " * 30_000,
    "`" * 99_999,
    ".[a" * 33_000,
    '{"a"' + "," + " " * 90_000 + "}",
    " " * 90_000 + '{"a":[' + ",  " * 3_000 + "]}",
    '{"x":"\\[cite]","y":"' + '\\"' * 48_000 + '\\[cite]"}',
]


@pytest.mark.parametrize("text", PATHOLOGICAL, ids=lambda text: text[:8])
@pytest.mark.parametrize("prefix", ["", "```json\n"])
def test_a_pathological_reply_is_judged_in_bounded_time(prefix: str, text: str) -> None:
    size = len(text)
    metadata = {
        "webSearchQueries": ["q"],
        "groundingChunks": [{"web": {"uri": "https://example.org/"}}],
        "groundingSupports": [
            {"segment": {"startIndex": start, "endIndex": size - start}, "groundingChunkIndices": [0]}
            for start in range(200)
        ],
    }
    body = body_of((prefix + text)[: max(99_000, size)], metadata=metadata)
    started = time.process_time()
    outcome = parse_reply(read_body(body), handle=HANDLE)
    assess_grounding(read_body(body), handle=HANDLE, names=["Gentle Monster", "젠틀몬스터"])
    assert isinstance(outcome, Unparseable)
    assert time.process_time() - started < 2.0


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
body_keys = st.sampled_from(
    "candidates content parts text finishReason promptFeedback blockReason groundingMetadata web uri title "
    "webSearchQueries groundingChunks groundingSupports segment startIndex endIndex partIndex "
    "groundingChunkIndices searchEntryPoint renderedContent".split()
)
bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 40) | st.floats() | st.text() | st.just(fenced()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(body_keys, inner, max_size=5),
    max_leaves=25,
)


def survives(body: object) -> None:
    outcome = parse_reply(read_body(body), handle=HANDLE)
    grounding = assess_grounding(read_body(body), handle=HANDLE, names=["Gentle Monster", None, "젠틀몬스터"])
    assert isinstance(outcome, ParsedReply | Unparseable)
    if isinstance(outcome, ParsedReply):
        json.dumps(outcome.review.model_dump(mode="json"), ensure_ascii=False, allow_nan=False).encode(
            "utf-8"
        )
    assert not grounding.supported or grounding.chunks


@settings(max_examples=300, deadline=None)
@given(body=anything | bodies)
def test_no_body_raises(body: object) -> None:
    survives(body)


tokens = st.sampled_from(
    [
        "```",
        "json",
        "{",
        "}",
        '"',
        '"account_type"',
        ":",
        '"brand"',
        ",",
        "[cite: 1]",
        "[",
        "]",
        "\\",
        "\n",
        "가",
        ".",
    ]
)
texts = st.text() | st.lists(tokens, max_size=60).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=texts)
def test_no_text_raises(text: str) -> None:
    survives(body_of(text))


@settings(max_examples=300, deadline=None)
@given(values=st.dictionaries(st.sampled_from(sorted(REVIEW)), anything), metadata=bodies)
def test_no_values_in_the_block_raise(values: dict[str, Any], metadata: object) -> None:
    survives(body_of("```json\n" + json.dumps({**REVIEW, **values}) + "\n```", metadata=metadata))
