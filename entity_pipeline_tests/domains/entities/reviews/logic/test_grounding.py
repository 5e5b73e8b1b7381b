"""What counts as evidence, and what only looks like it."""

from dataclasses import replace
from typing import Any

import pytest

from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.domains.entities.models import Grounding, HandleTie
from entity_pipeline.domains.entities.reviews.logic.grounding import (
    MAX_EVIDENCE,
    MAX_QUERIES,
    assess_grounding,
)
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import (
    body_of,
    fenced,
    recorded,
    segment_of,
)

HANDLE = "gentlemonster"
NAMES = ["Gentle Monster", "젠틀몬스터"]
CHUNK = {"web": {"uri": "https://example.org/a", "title": "example.org"}}
TEXT = "젠틀몬스터는 한국의 브랜드이다. It was founded in 2011. See @gentlemonster.\n\n" + fenced()


def assess(body: object) -> Grounding:
    return assess_grounding(read_body(body), handle=HANDLE, names=NAMES)


def grounded(supports: Any, *, text: str = TEXT, chunks: Any = (CHUNK,), queries: Any = ("q",)) -> Grounding:
    return assess(
        body_of(
            text,
            metadata={
                "webSearchQueries": list(queries) if isinstance(queries, tuple) else queries,
                "groundingChunks": list(chunks) if isinstance(chunks, tuple) else chunks,
                "groundingSupports": supports,
            },
        )
    )


def support(piece: str, *indices: Any, text: str = TEXT, **changes: Any) -> dict[str, Any]:
    return {"segment": {**segment_of(text, piece), **changes}, "groundingChunkIndices": list(indices or (0,))}


def test_korean_text_is_cut_by_bytes() -> None:
    grounding = assess(recorded("grounded_korean"))
    assert (grounding.grounded, grounding.chunks, grounding.supports, grounding.supported) == (
        True,
        2,
        3,
        True,
    )
    assert grounding.search_queries == ("gentlemonster instagram", "젠틀몬스터 공식 인스타그램")
    assert [(item.claim, item.chunk, item.title, item.names_account) for item in grounding.evidence] == [
        (
            "젠틀몬스터(Gentle Monster)는 2011년에 설립된 한국의 아이웨어 브랜드이다.",
            0,
            "wikipedia.org",
            True,
        ),
        ("The official site of the eyewear house links to @gentlemonster.", 1, None, True),
        ("It runs stores in several countries.", 0, "wikipedia.org", True),
    ]


@pytest.mark.parametrize(
    "name", ["no_metadata_despite_tool_tokens", "prompt_blocked", "thinking_ate_the_limit"]
)
def test_a_reply_without_metadata_is_not_grounded(name: str) -> None:
    found = assess(recorded(name))
    assert replace(found, handle_tie=None) == Grounding(False, 0, 0, (), ())
    assert found.handle_tie is not HandleTie.SUPPORTED


def test_a_search_that_returned_nothing_is_not_grounded_and_keeps_its_queries() -> None:
    assert assess(recorded("search_without_chunks")) == Grounding(
        False, 0, 0, (), ("gentlemonster",), "<div></div>"
    )


def test_a_supported_json_block_is_not_evidence() -> None:
    grounding = assess(recorded("supports_only_the_json"))
    assert (grounding.grounded, grounding.supports, grounding.evidence) == (True, 0, ())


@pytest.mark.parametrize(
    "text",
    [
        "Nothing else.\n\n" + fenced(),
        "Nothing else.\n\n" + fenced().removesuffix("}\n```"),
        "Nothing else. " + fenced().removeprefix("```json\n").removesuffix("\n```"),
        "Nothing else. " + fenced().removeprefix("```json\n").removesuffix("}\n```"),
    ],
)
def test_json_is_not_evidence_fenced_or_bare_whole_or_cut(text: str) -> None:
    piece = '"name_en": "Gentle Monster", "name_ko": "젠틀몬스터"'
    assert grounded([support(piece, text=text)], text=text).evidence == ()


def test_a_segment_that_runs_from_prose_into_the_block_counts_for_its_prose_only() -> None:
    text = "It is nice.\n" + fenced()
    whole = {"segment": {"endIndex": len(text.encode())}, "groundingChunkIndices": [0]}
    grounding = grounded([whole], text=text)
    assert [(item.claim, item.names_account) for item in grounding.evidence] == [("It is nice.", False)]


def test_offsets_within_a_part_and_within_the_whole_text_find_the_same_sentence() -> None:
    grounding = assess(recorded("two_parts"))
    assert grounding.supports == 2
    assert [item.claim for item in grounding.evidence] == [
        "The official site of the eyewear house links to @gentlemonster."
    ]


@pytest.mark.parametrize(
    ("segment", "claim"),
    [
        ({"endIndex": 15}, "젠틀몬스터는 한국의 브랜드이다."),
        ({"startIndex": 0, "endIndex": 15, "text": "not in the reply"}, "젠틀몬스터는 한국의 브랜드이다."),
        ({"startIndex": 1, "endIndex": 15, "text": "founded in 2011"}, "It was founded in 2011."),
        ({"endIndex": 10**9, "text": "See @gentlemonster"}, "See @gentlemonster."),
        ({"text": "See @gentlemonster"}, "See @gentlemonster."),
        ({"startIndex": 1, "endIndex": 15}, None),
        ({"startIndex": -5, "endIndex": 15}, None),
        ({"startIndex": 15, "endIndex": 15}, None),
        ({"startIndex": True, "endIndex": "15"}, None),
        ({"endIndex": 10**9, "text": "a sentence that was never written"}, None),
        ({}, None),
        ("15", None),
    ],
)
def test_a_segment_is_its_bytes_or_else_its_text_if_the_reply_holds_it(
    segment: object, claim: str | None
) -> None:
    found = grounded([{"segment": segment, "groundingChunkIndices": [0]}]).evidence
    assert [item.claim for item in found] == ([] if claim is None else [claim])


def test_a_segment_is_extended_to_its_sentence_and_no_further() -> None:
    before, named, after = grounded(
        [support("founded"), support("See"), support("한국의")],
    ).evidence
    assert {before.claim, named.claim, after.claim} == {
        "See @gentlemonster.",
        "젠틀몬스터는 한국의 브랜드이다.",
        "It was founded in 2011.",
    }
    assert [item.names_account for item in (before, named, after)] == [True, True, True]


@pytest.mark.parametrize("indices", [[], [1], [-1], ["0"], [True], [0.0], None, "0"])
def test_a_support_without_a_returned_chunk_is_not_evidence(indices: object) -> None:
    item = {"segment": segment_of(TEXT, "See"), "groundingChunkIndices": indices}
    assert grounded([item]).evidence == ()


@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "ftp://example.org/", "//example.org", "https://", "http://[::1", "https://a@b.org/",
     "", "https://example.org/a b", "https://example.org/" + "a" * 3_000, None, 5],
)  # fmt: skip
def test_a_chunk_without_a_plain_web_address_does_not_count(uri: object) -> None:
    grounding = grounded([support("See")], chunks=({"web": {"uri": uri}},))
    assert (grounding.grounded, grounding.chunks, grounding.evidence) == (False, 0, ())


def test_chunks_keep_their_index_when_others_are_dropped() -> None:
    grounding = grounded([support("See", 0, 1)], chunks=({"retrievedContext": {}}, CHUNK))
    assert [(item.chunk, item.uri) for item in grounding.evidence] == [(1, "https://example.org/a")]


@pytest.mark.parametrize(("queries", "expected"), [([""], True), ([], False), (None, False), ([5], False)])
def test_chunks_without_any_search_are_not_grounded(queries: Any, expected: bool) -> None:
    assert grounded([support("See")], queries=queries).grounded is expected


def test_counts_are_capped_and_evidence_that_names_the_account_is_kept() -> None:
    sentences = [f"Fact {number} is told." for number in range(30)]
    text = " ".join([*sentences, "See @gentlemonster."])
    supports = [support(sentence, text=text) for sentence in [*sentences, "See @gentlemonster."]]
    grounding = grounded(supports, text=text, queries=tuple(f"q{number}" for number in range(50)))
    assert (len(grounding.evidence), len(grounding.search_queries)) == (MAX_EVIDENCE, MAX_QUERIES)
    assert grounding.evidence[0].claim == "See @gentlemonster."
    assert grounding.supported


@pytest.mark.parametrize("text", ["gentlemonster " * 150, "See gentlemonster. " * 1_000])
def test_a_passage_too_long_for_a_claim_is_not_evidence(text: str) -> None:
    whole = {"segment": {"endIndex": len(text)}, "groundingChunkIndices": [0]}
    assert grounded([whole], text=text).evidence == ()


def test_search_suggestions_are_kept_only_if_small() -> None:
    def of(html: object) -> str | None:
        return assess(
            body_of("x", metadata={"searchEntryPoint": {"renderedContent": html}})
        ).search_entry_point

    assert assess(recorded("grounded_korean")).search_entry_point == (
        '<style>.c{}</style><div class="c">gentlemonster instagram</div>'
    )
    assert of("x" * 10_000) == "x" * 10_000
    assert [of("x" * 10_001), of("가" * 4_000), of(""), of(None), of(["x"])] == [None] * 5
    assert of("a\x00b\ud800") == "ab"


@pytest.mark.parametrize("part", [-1, 1, 99, "0", 0.0, True])
def test_offsets_in_a_part_that_is_not_there_prove_nothing(part: object) -> None:
    segment = {"partIndex": part, "endIndex": 60}
    assert not grounded([{"segment": segment, "groundingChunkIndices": [0]}]).supported


@pytest.mark.parametrize(
    "uri",
    [
        'https://example.org/"><script>alert(1)</script>',
        "https://example.org/a\\b",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "https://2130706433/a",
        "https://0x7f.1/a",
        "https://localhost/a",
        "https://intranet/a",
    ],
)
def test_an_address_that_no_search_returns_is_not_a_source(uri: str) -> None:
    grounding = grounded([support("젠틀몬스터는 한국의 브랜드이다.")], chunks=({"web": {"uri": uri}},))
    assert (grounding.chunks, grounding.supported) == (0, False)


def test_a_source_of_any_domain_counts() -> None:
    for uri in (
        "https://젠틀몬스터.한국/a",
        "https://xn--9t4b11yi5a.kr",
        "http://a.example.co.uk:8080/b?c=[1]",
    ):
        assert grounded(
            [support("젠틀몬스터는 한국의 브랜드이다.")], chunks=({"web": {"uri": uri}},)
        ).supported
