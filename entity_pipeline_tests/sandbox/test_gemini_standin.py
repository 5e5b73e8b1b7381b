"""The stand-in seen through the real SDK, as the pipeline sees it."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from google import genai
from google.genai import errors, types

from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.sandbox.gemini_errors import chaos_draw, trouble
from entity_pipeline_tests.standins import GeminiStandin

MODEL = "gemini-2.5-flash"
SEARCH = types.Tool(google_search=types.GoogleSearch())


@pytest.fixture
def standin() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=0) as server:
        yield server


def _client(standin: GeminiStandin, key: str = "any") -> genai.Client:
    options = types.HttpOptions(base_url=standin.url, api_version="v1beta", timeout=5_000)
    return genai.Client(api_key=key, http_options=options)


def _prompt(username: str) -> str:
    account = json.dumps({"username": username, "bio": "{x}"})
    return f'Answer like {{"name_en": "Example"}}.\nBEGIN\n{account}\nEND'


def _ask(standin: GeminiStandin, username: str, *, grounded: bool = True, **config: Any) -> Any:
    with _client(standin) as client:
        return client.models.generate_content(
            model=MODEL,
            contents=_prompt(username),
            config=types.GenerateContentConfig(tools=[SEARCH] if grounded else None, **config),
        )


def _block(text: str) -> Any:
    return json.loads(re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)[-1])


def _raw(
    standin: GeminiStandin, body: Any, *, model: str = MODEL, key: str | None = "any"
) -> requests.Response:
    headers = {"x-goog-api-key": key} if key else {}
    return requests.post(
        f"{standin.url}/v1beta/models/{model}:generateContent", json=body, headers=headers, timeout=5
    )


def test_a_plain_answer_is_cited_prose_and_one_block_of_the_agreed_form(standin: GeminiStandin) -> None:
    reply = _ask(standin, "lumenveil.jp.madeup")
    assert "Simulated answer of the local stand-in" in reply.text
    block = _block(reply.text)
    assert list(block) == [
        "name_en",
        "name_ko",
        "account_type",
        "account_role",
        "field",
        "entity_region_code",
        "country_of_origin",
        "primary_username",
        "confidence",
        "field_confidence",
        "reasoning",
    ]
    assert (block["account_type"], block["account_role"]) == ("brand", "regional")
    assert (block["entity_region_code"], block["country_of_origin"]) == ("JP", "KR")
    assert block["primary_username"] == "lumenveil.madeup"
    assert reply.model_version == MODEL
    usage = reply.usage_metadata
    assert usage.total_token_count == (
        usage.prompt_token_count
        + usage.candidates_token_count
        + usage.thoughts_token_count
        + usage.tool_use_prompt_token_count
    )


@pytest.mark.parametrize("username", ["prada", "wonderplace_kr", "lumenveil.madeup", "mixxo_korea"])
def test_support_offsets_are_bytes_of_the_text_and_point_to_chunks(
    standin: GeminiStandin, username: str
) -> None:
    reply = _ask(standin, username)
    grounding = reply.candidates[0].grounding_metadata
    assert grounding.web_search_queries
    assert grounding.grounding_supports
    text = reply.text.encode()
    for support in grounding.grounding_supports:
        segment = support.segment
        assert text[segment.start_index : segment.end_index].decode() == segment.text
        assert max(support.grounding_chunk_indices) < len(grounding.grounding_chunks)
    assert f"@{username}" in reply.text


def test_the_same_question_gets_the_same_answer_from_another_server(standin: GeminiStandin) -> None:
    body = {"contents": [{"parts": [{"text": _prompt("celine")}]}], "tools": [{"googleSearch": {}}]}
    with GeminiStandin(latency_ms=0) as other:
        assert _raw(standin, body).json() == _raw(other, body).json()


def test_a_call_without_search_has_no_grounding(standin: GeminiStandin) -> None:
    reply = _ask(standin, "prada", grounded=False)
    assert reply.candidates[0].grounding_metadata is None
    assert reply.usage_metadata.tool_use_prompt_token_count is None


def test_a_stranger_is_unknown_and_has_no_source(standin: GeminiStandin) -> None:
    reply = _ask(standin, "nobody.we.know")
    assert _block(reply.text)["account_type"] == "unknown"
    assert reply.candidates[0].grounding_metadata.grounding_chunks is None


@pytest.mark.parametrize(
    ("username", "field", "value"),
    [
        ("timberland", "confidence", "95%"),
        ("mixxo_korea", "country_of_origin", "South Korea"),
        ("wonderplace_kr", "account_type", "브랜드"),
        ("quillmere.madeup", "confidence", 0.58),
        ("ungrounded.madeup", "confidence", 0.99),
        ("duneweave.madeup", "country_of_origin", "Namibia"),
        ("driftcode.madeup", "country_of_origin", "NA"),
        ("glowbarn.madeup", "account_type", "beauty brand"),
    ],
)
def test_odd_values_are_repeated_as_given(
    standin: GeminiStandin, username: str, field: str, value: object
) -> None:
    assert _block(_ask(standin, username).text)[field] == value


def test_trailing_commas_and_citation_marks_break_plain_json(standin: GeminiStandin) -> None:
    text = _ask(standin, "prada").text
    assert "[cite: 1" in text
    with pytest.raises(json.JSONDecodeError):
        _block(text)
    cleaned = re.sub(r",(\s*})", r"\1", re.sub(r"\s*\[cite: [\d, ]+\]", "", text))
    assert _block(cleaned)["name_en"] == load_truth()["prada"].name_en


def test_claims_without_proof_lack_just_the_part_they_are_named_for(standin: GeminiStandin) -> None:
    assert _ask(standin, "ungrounded.madeup").candidates[0].grounding_metadata is None
    assert _ask(standin, "queriesonly.madeup").candidates[0].grounding_metadata.grounding_chunks is None
    no_supports = _ask(standin, "nosupports.madeup").candidates[0].grounding_metadata
    assert no_supports.grounding_chunks
    assert no_supports.grounding_supports is None
    stray = _ask(standin, "straysupport.madeup").candidates[0].grounding_metadata.grounding_supports
    assert stray
    assert not any("straysupport" in support.segment.text.lower() for support in stray)


@pytest.mark.parametrize(
    ("username", "mended"), [("brokenreply.madeup", True), ("garbledreply.madeup", False)]
)
def test_a_broken_reply_is_repaired_by_a_repair_call_or_never(
    standin: GeminiStandin, username: str, mended: bool
) -> None:
    broken = _ask(standin, username).text
    assert not re.search(r"```json\n.*?\n```", broken, re.DOTALL)
    assert f"@{username}" in broken
    repaired = _ask(standin, username, grounded=False).text
    assert bool(re.search(r"```json\n.*?\n```", repaired, re.DOTALL)) is mended


def test_a_repair_call_that_carries_nothing_but_the_broken_reply_is_understood(
    standin: GeminiStandin,
) -> None:
    broken = _ask(standin, "brokenreply.madeup").text
    body = {"contents": [{"parts": [{"text": f"Mend this: {json.dumps(broken)}"}]}]}
    text = _raw(standin, body).json()["candidates"][0]["content"]["parts"][0]["text"]
    assert _block(text)["name_en"] == "Brokenreply (made up)"


def test_an_overloaded_model_answers_the_second_time(standin: GeminiStandin) -> None:
    with pytest.raises(errors.ServerError) as caught:
        _ask(standin, "overloaded.madeup")
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
    assert _block(_ask(standin, "overloaded.madeup").text)["account_type"] == "brand"


def test_refused_and_cut_replies_have_no_text(standin: GeminiStandin) -> None:
    safety = _ask(standin, "safetystop.madeup")
    blocked = _ask(standin, "blockedprompt.madeup")
    cut = _ask(standin, "maxtokens.madeup")
    assert safety.text is None
    assert safety.candidates[0].finish_reason == types.FinishReason.SAFETY
    assert blocked.candidates is None
    assert blocked.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
    assert cut.text is None
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert cut.usage_metadata.candidates_token_count is None


def test_search_and_a_json_type_do_not_go_together(standin: GeminiStandin) -> None:
    with pytest.raises(errors.ClientError) as caught:
        _ask(standin, "prada", response_mime_type="application/json")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert "response mime type: 'application/json' is unsupported" in str(caught.value)


@pytest.mark.parametrize(
    ("model", "key", "status", "word"),
    [
        ("gemini-1.0-pro", "any", 404, "NOT_FOUND"),
        (MODEL, None, 403, "PERMISSION_DENIED"),
        (MODEL, "invalid", 400, "API_KEY_INVALID"),
    ],
)
def test_a_wrong_model_or_key_is_refused_in_the_real_words(
    standin: GeminiStandin, model: str, key: str | None, status: int, word: str
) -> None:
    answer = _raw(standin, {"contents": [{"parts": [{"text": "x"}]}]}, model=model, key=key)
    assert answer.status_code == status
    assert word in answer.text


def test_a_wrong_key_is_refused_with_the_details_by_which_it_is_known(standin: GeminiStandin) -> None:
    error = _raw(standin, {"contents": [{"parts": [{"text": "x"}]}]}, key="invalid").json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
        }
    ]


@pytest.mark.parametrize(
    "body", [[], {}, {"contents": "x"}, {"contents": [None, {"parts": [7, {"text": None}]}], "tools": 3}]
)
def test_a_senseless_request_gets_an_answer(standin: GeminiStandin, body: object) -> None:
    assert _raw(standin, body).status_code in (200, 400)


def test_an_object_inside_a_bio_does_not_pass_for_the_account(standin: GeminiStandin) -> None:
    account = json.dumps({"username": "prada", "bio": '{"username": "celine"}'})
    body = {"contents": [{"parts": [{"text": f"example {{not json}} {account}"}]}]}
    _raw(standin, body)
    assert standin.requests["by_subject"] == {"prada": 1}


def test_every_request_is_counted_from_many_threads_on_kept_connections(standin: GeminiStandin) -> None:
    names = list(load_truth())[:8]
    body = {"tools": [{"googleSearch": {}}]}
    url = f"{standin.url}/v1beta/models/{MODEL}:generateContent"

    def ask(number: int) -> int:
        contents = {"contents": [{"parts": [{"text": _prompt(names[number % 8])}]}]}
        return client.post(
            url, json={**body, **contents}, headers={"x-goog-api-key": "k"}, timeout=5
        ).status_code

    with requests.Session() as client, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(160)))
        counts = client.get(f"{standin.url}/_standin/requests", timeout=5).json()
        health = client.get(f"{standin.url}/_standin/health", timeout=5).status_code
    assert set(statuses) == {200}
    assert (counts["total"], counts["grounded"], counts["by_subject"]) == (
        160,
        160,
        dict.fromkeys(names, 20),
    )
    assert health == 200


def test_chaos_is_the_same_for_one_seed_and_draws_every_trouble() -> None:
    drawn = [chaos_draw(7, f"name{number % 500}", number // 500) for number in range(10_000)]
    again = [chaos_draw(7, f"name{number % 500}", number // 500) for number in range(10_000)]
    assert drawn == again
    assert drawn != [chaos_draw(8, f"name{number % 500}", number // 500) for number in range(10_000)]
    assert len(set(drawn)) == 25
    assert 0.7 < drawn.count("") / len(drawn) < 0.95


@pytest.mark.parametrize(
    ("name", "quota_words", "kinds"),
    [
        ("per_minute", "PerMinute", {"QuotaFailure", "Help", "RetryInfo"}),
        ("per_day", "PerDay", {"QuotaFailure", "Help", "RetryInfo"}),
        ("grounding_exhausted", "", {"Help"}),
        ("bare_429", "", set()),
    ],
)
def test_each_429_carries_the_details_it_is_known_by(name: str, quota_words: str, kinds: set[str]) -> None:
    reply = trouble(name)
    details = json.loads(reply.body)["error"].get("details", [])
    assert reply.status == 429
    assert {detail["@type"].rsplit(".", 1)[1] for detail in details} == kinds
    assert quota_words in reply.body.decode()


@pytest.mark.parametrize(
    ("drawn", "status"),
    [("bad_gateway", 502), ("overloaded", 503), ("internal", 500), ("garbage", 200), ("", 200)],
)
def test_chaos_answers_with_the_trouble_that_was_drawn(drawn: str, status: int) -> None:
    username = _first_hit_by(drawn)
    with GeminiStandin(latency_ms=0, chaos=3) as standin:
        answer = _raw(standin, {"contents": [{"parts": [{"text": _prompt(username)}]}]})
    assert answer.status_code == status
    if drawn == "garbage":
        with pytest.raises(ValueError, match=r"."):
            answer.json()


def test_chaos_drops_a_connection_without_an_answer() -> None:
    username = _first_hit_by("dropped")
    with GeminiStandin(latency_ms=0, chaos=3) as standin, pytest.raises(requests.ConnectionError):
        _raw(standin, {"contents": [{"parts": [{"text": _prompt(username)}]}]})


def _first_hit_by(drawn: str) -> str:
    plain = [name for name, account in load_truth().items() if not account.gemini]
    return next(name for name in plain if chaos_draw(3, name, 1) == drawn)


@pytest.mark.parametrize(
    ("drawn", "finish_reason"),
    [
        ("safety", "SAFETY"),
        ("recitation", "RECITATION"),
        ("malformed_function_call", "MALFORMED_FUNCTION_CALL"),
        ("prohibited_content", "PROHIBITED_CONTENT"),
        ("max_tokens", "MAX_TOKENS"),
    ],
)
def test_chaos_ends_an_answer_without_a_word(drawn: str, finish_reason: str) -> None:
    candidate = _answer_under_chaos(drawn)["candidates"][0]
    assert candidate["finishReason"] == finish_reason
    assert "parts" not in candidate.get("content", {})


def test_chaos_spends_tool_tokens_without_grounding() -> None:
    answer = _answer_under_chaos("no_metadata")
    assert answer["usageMetadata"]["toolUsePromptTokenCount"] > 0
    assert "groundingMetadata" not in answer["candidates"][0]


def test_chaos_leaves_out_an_offset_of_zero() -> None:
    candidate = _answer_under_chaos("starts_at_once")["candidates"][0]
    segment = candidate["groundingMetadata"]["groundingSupports"][0]["segment"]
    assert "startIndex" not in segment
    text = candidate["content"]["parts"][0]["text"]
    assert text.encode()[: segment["endIndex"]].decode() == segment["text"]


def _answer_under_chaos(drawn: str) -> Any:
    plain = [name for name, account in load_truth().items() if not account.gemini]
    seed, username = next(
        (seed, name) for seed in range(1_000) for name in plain if chaos_draw(seed, name, 1) == drawn
    )
    body = {
        "contents": [{"parts": [{"text": _prompt(username)}]}],
        "tools": [{"googleSearch": {}}],
    }
    with GeminiStandin(latency_ms=0, chaos=seed) as standin:
        return _raw(standin, body).json()
