"""The Gemini stand-in's answer about an account: short cited prose, then one fenced JSON block.

It depends only on the sample and the handle, and says that it is simulated. Offsets of the grounding supports are
bytes of the UTF-8 text, as the real service counts them.

`behaviours.csv` gives an account one of these words, and chaos may too: ``trailing_commas``, ``percent``,
``country_name``, ``korean_labels`` (odd form, good content); ``bare_na`` ("NA" for an unknown country);
``kind_of_brand`` ("beauty brand" and the like); ``unsure``; ``ungrounded``, ``queries_only``, ``no_supports``,
``stray_support`` (claims without proof); ``broken_then_mended``, ``broken_for_good``; ``no_metadata`` (tokens of the
tool and no grounding); ``starts_at_once`` (a support whose offset 0 is left out).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from entity_pipeline.domains.entities.language.described import Subject, described
from entity_pipeline.domains.entities.sample.gemini_prompt import asked_username
from entity_pipeline.domains.entities.sample.truth import Truth, load_truth
from entity_pipeline.sandbox.gemini_answers import GeminiAnswer, GeminiSubject
from entity_pipeline.sandbox.gemini_request import wants_search
from entity_pipeline.sandbox.seeded import seeded_int, seeded_share

_DISCLAIMER = "Simulated answer of the local stand-in: no search was run and nothing here is news."
_KINDS = {
    "magazine": "fashion magazine",
    "character": "character brand",
    "cosmetics": "beauty brand",
    "software": "tech brand",
}
_COUNTRIES = {"KR": "South Korea", "NA": "Namibia"}
_PEOPLE = {"artist": "a South Korean singer", "group": "a South Korean idol group"}
_KOREAN_LABELS = {"brand": "브랜드", "artist": "아티스트", "group": "그룹", "primary": "메인"}


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    chunks: Sequence[int] = ()


class EntityAnswers:
    """Answers about accounts; implements `sandbox.gemini_answers.GeminiAnswers`."""

    def subject(self, request: Mapping[str, Any]) -> GeminiSubject:
        """Take any request as a question about an account, if no other sample claims it."""
        username = asked_username(request, load_truth()) or ""
        account = load_truth().get(username)
        return GeminiSubject(username, account.gemini if account else "", is_known=account is not None)

    def answer(self, subject: str, behaviour: str, request: Mapping[str, Any]) -> GeminiAnswer:
        """The answer; a call without search is the one that repairs a broken reply."""
        account, grounded = load_truth().get(subject), wants_search(request)
        if account is None:
            return stranger(subject, grounded=grounded)
        return answer(replace(account, gemini=behaviour), grounded=grounded, repair=not grounded)


def answer(account: Truth, *, grounded: bool, repair: bool) -> GeminiAnswer:
    """The reply about `account`. `grounded`: search was asked for; `repair`: this is the call without it."""
    broken = account.gemini == "broken_for_good" or (account.gemini == "broken_then_mended" and not repair)
    sentences = _prose(account)
    prose = "\n".join(sentence.text for sentence in sentences)
    block = _block(account)
    if broken:
        # Cut in the middle, so that no fence closes and no brace balances.
        block = block[: len(block) // 2].rstrip("`\n }")
    searched = grounded and account.gemini not in ("ungrounded", "no_metadata")
    return GeminiAnswer(f"{prose}\n\n{block}", _grounding(account, sentences) if searched else None)


def stranger(username: str, *, grounded: bool) -> GeminiAnswer:
    """The reply about a handle that is not in the sample: unknown, without a source."""
    claims = {
        "name_en": None,
        "name_ko": None,
        "account_type": "unknown",
        "account_role": "unknown",
        "entity_region_code": None,
        "country_of_origin": None,
        "primary_username": None,
        "confidence": 0.2,
        "field_confidence": {"account_type": 0.2, "account_role": 0.2},
        "reasoning": "The local stand-in's sample does not hold this handle.",
    }
    text = f"{_DISCLAIMER}\nThe sample does not hold @{username}.\n\n{_fenced(json.dumps(claims, indent=1))}"
    return GeminiAnswer(text, {"webSearchQueries": [f"{username} instagram"]} if grounded else None)


def _prose(account: Truth) -> list[_Sentence]:
    """The sentences of one account, in one of the manners in which Gemini writes."""
    second = 1 if _chunk_count(account) > 1 else 0
    manner = _MANNERS[seeded_int("manner", account.username) % len(_MANNERS)]
    said = (_plain if account.gemini == "starts_at_once" else manner)(account)
    sentences = [_Sentence(_DISCLAIMER), *said]
    if account.primary_username:
        sentences.append(
            _Sentence(
                f"@{account.username} is run beside the main account @{account.primary_username}.", [second]
            )
        )
    if account.gemini == "starts_at_once":
        sentences.append(sentences.pop(0))
    return [*sentences, _Sentence("Instagram is a service for sharing pictures.", [second])]


def _plain(account: Truth) -> list[_Sentence]:
    return [
        *_in_korean(account),
        _Sentence(f"{account.name_en} (@{account.username}) is {_what(account)}.", [0]),
    ]


def _with_pronouns(account: Truth) -> list[_Sentence]:
    """Only the sentence that does not name it has a source."""
    return [
        _Sentence(f"The Instagram handle @{account.username} belongs to {account.name_en}."),
        _Sentence(f"It is {_what(account)}.", [0]),
    ]


def _as_a_list(account: Truth) -> list[_Sentence]:
    """A source stands behind one line, which does not name it."""
    names = account.name_en if account.name_ko is None else f"{account.name_en} ({account.name_ko})"
    return [
        _Sentence("Here is what the sample holds:"),
        _Sentence(f"*   **Name:** {names}"),
        _Sentence(f"*   **Type:** {_what(account)}", [0]),
        _Sentence(f"*   **Instagram:** @{account.username}"),
    ]


def _spelled_otherwise(account: Truth) -> list[_Sentence]:
    """In other letters than those of the JSON block."""
    name = account.name_en.upper() if account.name_en != account.name_en.upper() else account.name_en.title()
    return [
        *_in_korean(account),
        _Sentence(f"{name} is {_what(account)}.", [0]),
        _Sentence(f"The account @{account.username} is the one of {account.name_en}."),
    ]


_MANNERS = (_plain, _with_pronouns, _as_a_list, _spelled_otherwise)


def _in_korean(account: Truth) -> list[_Sentence]:
    """Comes first, so that every later offset differs between bytes and letters."""
    if not account.name_ko:
        return []
    return [_Sentence(f"{account.name_ko}의 인스타그램 계정은 @{account.username}로 적혀 있다.", [0])]


def _what(account: Truth) -> str:
    """What the sample says it is, as a noun phrase."""
    if account.type in _PEOPLE:
        return _PEOPLE[account.type]
    phrase = account.evidence.rpartition("::")[2].strip() or "company"
    seller = " that sells clothing" if account.type == "brand" and _says_nothing(phrase) else ""
    return f"{'an' if phrase[0] in 'AEIOUaeiou' else 'a'} {phrase}{seller}"


def _says_nothing(phrase: str) -> bool:
    return described(f"It is a {phrase}.").defined is not Subject.FASHION


def _claims(account: Truth) -> dict[str, Any]:
    odd = account.gemini
    confidence: Any = round(0.94 + 0.04 * seeded_share("confidence", account.username), 2)
    certain: Any = min(0.99, round(confidence + 0.02, 2))
    account_type, role, country = account.type, account.role, account.country
    reasoning = "Simulated by the local stand-in from the sample's row for this handle."
    match odd:
        case "unsure":
            confidence = certain = 0.58
        case "ungrounded":
            confidence = certain = 0.99
        case "percent":
            confidence, certain = "95%", "97%"
        case "country_name":
            country = _COUNTRIES.get(country or "", country)
        case "bare_na":
            country = "NA"  # meant as "not available", which a model should not write
        case "korean_labels":
            account_type, role = _KOREAN_LABELS[account_type], _KOREAN_LABELS[role]
        case "kind_of_brand":
            # In the way of models: a brand with its own kind of word is not a fashion brand.
            account_type = next(said for word, said in _KINDS.items() if word in account.evidence)
            reasoning = f"Simulated by the local stand-in: {account.evidence}, and it sells its own products."
    return {
        "name_en": account.name_en,
        "name_ko": account.name_ko,
        "account_type": account_type,
        "account_role": role,
        **_field(account),
        "entity_region_code": account.region,
        "country_of_origin": country,
        "primary_username": account.primary_username,
        "confidence": confidence,
        "field_confidence": {"account_type": certain, "account_role": confidence},
        "reasoning": reasoning,
    }


def _field(account: Truth) -> dict[str, str]:
    """The field is left out now and then, as the model does."""
    if account.type == "unknown" or seeded_share("field", account.username) < 0.1:
        return {}
    brands = {"shoe": "shoes_bags_accessories", "retailer": "fashion_retailer", "store": "fashion_retailer"}
    of_brand = next((field for word, field in brands.items() if word in account.evidence), "clothing")
    return {"field": {"brand": of_brand, "artist": "music", "group": "music"}.get(account.type, "other")}


def _block(account: Truth) -> str:
    text = json.dumps(_claims(account), ensure_ascii=False, indent=1)
    if account.gemini == "trailing_commas":
        text = re.sub(r'("country_of_origin": [^,\n]+),', r"\1 [cite: 1, 2],", text)
        text = text.replace('handle."\n}', 'handle. [cite: 1]",\n}').replace("\n }", ",\n }")
    return _fenced(text)


def _fenced(text: str) -> str:
    return f"```json\n{text}\n```"


def _chunk_count(account: Truth) -> int:
    return 1 + seeded_int("chunks", account.username) % 3


def _grounding(account: Truth, sentences: Sequence[_Sentence]) -> dict[str, Any]:
    queries = [f"{account.name_en} official instagram", f'"{account.username}" instagram']
    if seeded_share("empty query", account.username) < 0.1:
        queries.append("")
    metadata: dict[str, Any] = {
        "webSearchQueries": queries,
        "searchEntryPoint": {"renderedContent": "<style>.chip{}</style><div>simulated</div>"},
    }
    if account.gemini == "queries_only":
        return metadata
    metadata["groundingChunks"] = [{"web": _web(account, number)} for number in range(_chunk_count(account))]
    if account.gemini != "no_supports":
        metadata["groundingSupports"] = _supports(account, sentences)
    return metadata


def _web(account: Truth, number: int) -> dict[str, str]:
    token = f"{seeded_int('chunk', account.username, number):016x}"
    web = {"uri": f"https://vertexaisearch.cloud.google.com/grounding-api-redirect/SIMULATED{token}"}
    if seeded_share("title", account.username, number) >= 0.05:
        web["title"] = f"simulated-source-{number + 1}.example"
    return web


def _supports(account: Truth, sentences: Sequence[_Sentence]) -> list[dict[str, Any]]:
    supports, start = [], 0
    for sentence in sentences:
        end = start + len(sentence.text.encode())
        names_nobody = sentence is sentences[-1]
        if sentence.chunks and (account.gemini != "stray_support" or names_nobody):
            segment: dict[str, Any] = {"startIndex": start, "endIndex": end, "text": sentence.text}
            if not start:
                del segment["startIndex"]  # the service leaves zeros out
            chunks = sorted(set(sentence.chunks))
            supports.append({"segment": segment, "groundingChunkIndices": chunks})
        start = end + 1  # the line break
    return supports
