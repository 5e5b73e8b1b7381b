"""The evidence in a reply's `groundingMetadata`, which may be any value; nothing here raises.

Which sentences a segment touches is found in `reply_text`, and what they are about in `sentences`.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from entity_pipeline.core.gemini.reply_body import ReplyBody
from entity_pipeline.core.jsonb import json_items, json_object
from entity_pipeline.core.text.json_block import without_citations
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.core.text.web_address import address_parts
from entity_pipeline.domains.entities.language.mentions import handle_pattern, naming
from entity_pipeline.domains.entities.language.same_name import plain_letters
from entity_pipeline.domains.entities.language.sentences import (
    about_the_account,
    is_denial,
    is_not_theirs,
    is_owned,
)
from entity_pipeline.domains.entities.models import AccountType, Evidence, Grounding, HandleTie
from entity_pipeline.domains.entities.reviews.logic.reply_text import ReplyText

MAX_EVIDENCE = 10
MAX_QUERIES = 10
MAX_SEARCH_ENTRY_POINT_BYTES = 10_000

_MAX_CHUNKS = 100
_MAX_SUPPORTS = 200
_MAX_CLAIM = 500
_MAX_QUERY = 200
_MAX_TITLE = 200
_MAX_URI = 2_048

_NEVER_IN_A_URI = re.compile(r"[\s<>\"\\^`]")
# A search returns public pages, never an IP address or a name that only a private network knows.
_DOMAIN = re.compile(r"(?:[\w-]{1,63}\.)+(?!\d)\w[\w-]{1,62}\.?")


def assess_grounding(
    reply: ReplyBody,
    *,
    handle: str,
    names: Iterable[str | None],
    account_type: AccountType = AccountType.UNKNOWN,
) -> Grounding:
    """What the search proves about `handle`; never more than what came back.

    Evidence is a whole sentence of the prose, or of the block's `reasoning`, that a support ties to a returned http(s)
    chunk; sentences about the account come first. `supports` counts the supports that gave evidence.
    """
    metadata = reply.grounding
    queries = [
        query for query in json_items(metadata.get("webSearchQueries"), 1_000) if isinstance(query, str)
    ]
    shown = dict.fromkeys(text for query in queries if (text := one_line(query, _MAX_QUERY)))
    chunks = _chunks(metadata.get("groundingChunks"))
    supports = _supports(metadata.get("groundingSupports"), chunks)
    segments = [segment for segment, _ in supports]
    prose = ReplyText.of(reply.parts)
    touched = prose.touched(segments)
    cited = [
        (passage, index)
        for passages, (_, indices) in zip(touched, supports, strict=True)
        for passage in passages
        for index in indices
    ]
    names = tuple(names)
    about = about_the_account(prose.sentences, naming(handle, names), account_type)
    by_name = about_the_account(prose.sentences, naming("", names), account_type)
    evidence: dict[tuple[str, int], Evidence] = {}
    for passage, index in cited:
        claim = one_line(without_citations(passage.text), _MAX_CLAIM)
        uri, title = chunks[index]
        if (claim, index) not in evidence:
            evidence[claim, index] = Evidence(
                claim, index, uri, title, any(about[at] for at in passage.sentences)
            )
    ordered = sorted(evidence.values(), key=attrgetter("names_account"), reverse=True)
    supported = {at for passage, _ in cited for at in passage.sentences}
    return Grounding(
        grounded=bool(queries and chunks),
        chunks=len(chunks),
        supports=sum(map(bool, touched)),
        evidence=tuple(ordered[:MAX_EVIDENCE]),
        search_queries=tuple(shown)[:MAX_QUERIES],
        search_entry_point=_search_entry_point(metadata),
        handle_tie=_handle_tie(prose.sentences, supported, by_name, handle),
    )


def _handle_tie(
    sentences: Sequence[str], supported: Collection[int], by_name: Sequence[bool], handle: str
) -> HandleTie | None:
    """What the reply's sentences with the handle say of whose account it is; one that disowns it decides."""
    pattern = handle_pattern(handle)
    found: list[HandleTie] = []
    for at, sentence in enumerate(sentences):
        if not pattern.search(plain_letters(sentence).lower()) or is_denial(sentence):
            continue
        if is_not_theirs(sentence):
            return HandleTie.DISOWNED
        if at in supported:
            found.append(HandleTie.SUPPORTED)
        elif by_name[at] or is_owned(sentence):
            found.append(HandleTie.STATED)
    return HandleTie.SUPPORTED if HandleTie.SUPPORTED in found else next(iter(found), None)


def _supports(value: object, chunks: Mapping[int, object]) -> list[tuple[Mapping[str, Any], Sequence[int]]]:
    """Each support's segment, with the indices of the chunks that it cites; those that cite none are left out."""
    found: list[tuple[Mapping[str, Any], Sequence[int]]] = []
    for support in json_items(value, _MAX_SUPPORTS):
        fields = json_object(support)
        indices = [index for index in _indices(fields.get("groundingChunkIndices")) if index in chunks]
        if indices:
            found.append((json_object(fields.get("segment")), indices))
    return found


def _search_entry_point(metadata: Mapping[str, Any]) -> str | None:
    """Google's search suggestions (untrusted HTML); None if absent or over 10 kB."""
    html = json_object(metadata.get("searchEntryPoint")).get("renderedContent")
    if not isinstance(html, str) or not 0 < len(html) <= MAX_SEARCH_ENTRY_POINT_BYTES:
        return None
    clean = html.encode("utf-8", "ignore").decode().replace("\x00", "")
    return clean if len(clean.encode()) <= MAX_SEARCH_ENTRY_POINT_BYTES else None


def _chunks(value: object) -> dict[int, tuple[str, str | None]]:
    found: dict[int, tuple[str, str | None]] = {}
    for index, chunk in enumerate(json_items(value, _MAX_CHUNKS)):
        web = json_object(json_object(chunk).get("web"))
        uri, title = web.get("uri"), web.get("title")
        if isinstance(uri, str) and _is_source(uri):
            found[index] = uri, (one_line(title, _MAX_TITLE) or None) if isinstance(title, str) else None
    return found


def _is_source(uri: str) -> bool:
    if len(uri) > _MAX_URI or one_line(uri, _MAX_URI) != uri or _NEVER_IN_A_URI.search(uri):
        return False
    parts = address_parts(uri)
    return parts is not None and "@" not in parts.netloc and bool(_DOMAIN.fullmatch(parts.hostname or ""))


def _indices(value: object) -> list[int]:
    return list(dict.fromkeys(index for index in json_items(value, 20) if type(index) is int))
