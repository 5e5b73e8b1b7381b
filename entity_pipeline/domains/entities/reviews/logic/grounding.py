"""The evidence in a reply's `groundingMetadata`, which may be any value; nothing here raises.

The offsets of a segment are UTF-8 bytes, so with Korean text they are not indices into a Python string.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from entity_pipeline.core.gemini.reply_body import MAX_REPLY_CHARS, ReplyBody
from entity_pipeline.core.jsonb import json_items, json_object
from entity_pipeline.core.text.json_block import blocks, without_citations
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.core.text.web_address import address_parts
from entity_pipeline.domains.entities.models import Evidence, Grounding
from entity_pipeline.domains.entities.reviews.logic.mentions import naming

MAX_EVIDENCE = 10
MAX_QUERIES = 10
MAX_SEARCH_ENTRY_POINT_BYTES = 10_000

_MAX_CHUNKS = 100
_MAX_SUPPORTS = 200
_MAX_CLAIM = 500
_MAX_PASSAGE = 2_000  # characters; longer is not a claim about an account
_MAX_SEGMENT = 10_000  # characters; a claim and the JSON block after it
_MAX_QUERY = 200
_MAX_TITLE = 200
_MAX_URI = 2_048

_NEVER_IN_A_URI = re.compile(r"[\s<>\"\\^`]")
# A search returns public pages, never an IP address or a name that only a private network knows.
_DOMAIN = re.compile(r"(?:[\w-]{1,63}\.)+(?!\d)\w[\w-]{1,62}\.?")

_SENTENCE_END = re.compile(
    r"(?<![.!?。！？…])[.!?。！？…]++(?:[\"'”’)\]]|\[[^\]\n]{0,40}\]){0,8}(?=\s|$)|(?<=[가-힣])[.](?=[가-힣])|\n+"
)


def assess_grounding(reply: ReplyBody, *, handle: str, names: Iterable[str | None]) -> Grounding:
    """The evidence of the search about `handle`; never more than it returned.

    Evidence is a whole sentence of the prose (never of the JSON block) that a support ties to a returned
    http(s) chunk; sentences that name the account come first. `supports` counts the supports that gave evidence.
    """
    metadata = reply.grounding
    queries = [
        query for query in json_items(metadata.get("webSearchQueries"), 1_000) if isinstance(query, str)
    ]
    shown = dict.fromkeys(text for query in queries if (text := one_line(query, _MAX_QUERY)))
    chunks = _chunks(metadata.get("groundingChunks"))
    cited, supports = _cited_sentences(reply.parts, metadata.get("groundingSupports"), chunks)
    suggestions = _search_entry_point(metadata)
    names_account = naming(handle, names)
    evidence: dict[tuple[str, int], Evidence] = {}
    for sentence, index in cited:
        claim = one_line(without_citations(sentence), _MAX_CLAIM)
        uri, title = chunks[index]
        if (claim, index) not in evidence:
            evidence[claim, index] = Evidence(claim, index, uri, title, names_account(sentence))
    ordered = sorted(evidence.values(), key=attrgetter("names_account"), reverse=True)
    return Grounding(
        grounded=bool(queries and chunks),
        chunks=len(chunks),
        supports=supports,
        evidence=tuple(ordered[:MAX_EVIDENCE]),
        search_queries=tuple(shown)[:MAX_QUERIES],
        search_entry_point=suggestions,
    )


def _cited_sentences(
    parts: Sequence[str], supports: object, chunks: Mapping[int, object]
) -> tuple[list[tuple[str, int]], int]:
    """Each sentence with the index of a chunk that it cites, and how many supports gave one."""
    prose = _ReplyText.of(parts)
    cited: list[tuple[str, int]] = []
    count = 0
    for support in json_items(supports, _MAX_SUPPORTS):
        fields = json_object(support)
        indices = [index for index in _indices(fields.get("groundingChunkIndices")) if index in chunks]
        sentences = prose.sentences(json_object(fields.get("segment"))) if indices else []
        count += bool(sentences)
        cited += [(sentence, index) for sentence in sentences for index in indices]
    return cited, count


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


@dataclass(frozen=True, slots=True)
class _ReplyText:
    """The reply's text, with the positions needed to find the sentences of a segment given in bytes."""

    text: str
    data: bytes
    part_starts: Sequence[int]  # bytes
    prose: Sequence[tuple[int, int]]  # sentences outside JSON blocks, in characters

    @classmethod
    def of(cls, parts: Sequence[str]) -> "_ReplyText":
        text = "".join(parts)
        if len(text) > MAX_REPLY_CHARS:
            return cls("", b"", (), ())
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + len(part.encode("utf-8", "surrogatepass")))
        return cls(text, text.encode("utf-8", "surrogatepass"), starts, _sentences(text))

    def sentences(self, segment: Mapping[str, Any]) -> list[str]:
        """The passages of prose that the segment touches, each extended to whole sentences.

        JSON between two passages is left out, and so is a passage longer than `_MAX_PASSAGE`.
        """
        span = self._span(segment)
        if span is None or span[1] - span[0] > _MAX_SEGMENT:
            return []
        passages: list[list[int]] = []
        first = max(bisect_right(self.prose, span[0], key=lambda sentence: sentence[0]) - 1, 0)
        for low, high in self.prose[first:]:
            if low >= span[1]:
                break
            touched = self.text[max(low, span[0]) : min(high, span[1])]
            if not any(letter.isalnum() for letter in touched):
                continue
            if passages and not self.text[passages[-1][1] : low].strip():
                passages[-1][1] = high
            else:
                passages.append([low, high])
        return [self.text[low:high] for low, high in passages if high - low <= _MAX_PASSAGE]

    def _span(self, segment: Mapping[str, Any]) -> tuple[int, int] | None:
        stated = segment.get("text")
        stated = stated if isinstance(stated, str) and stated.strip() else None
        spans = [
            span for base in self._bases(segment) if (span := self._characters(segment, base)) is not None
        ]
        for low, high in spans:
            if stated is not None and self.text[low:high].strip() == stated.strip():
                return low, high
        if spans:
            return spans[0]
        at = self.text.find(stated) if stated is not None else -1
        return (at, at + len(stated)) if stated is not None and at >= 0 else None

    def _bases(self, segment: Mapping[str, Any]) -> Sequence[int]:
        """Where offset 0 may be: the start of the named part (as documented), or of the whole text.

        Empty if there is no such part.
        """
        part = segment.get("partIndex", 0)
        if type(part) is not int or not 0 <= part < len(self.part_starts) - 1:
            return ()
        return (self.part_starts[part], 0) if part else (0,)

    def _characters(self, segment: Mapping[str, Any], base: int) -> tuple[int, int] | None:
        start, end = segment.get("startIndex", 0), segment.get("endIndex")
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(self.data) - base:
            return None
        try:
            before = self.data[: base + start].decode("utf-8", "surrogatepass")
            inside = self.data[base + start : base + end].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None  # an offset is inside a character, so they are not bytes of this text
        return len(before), len(before) + len(inside)


def _sentences(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    position = 0
    for low, high in [*((block.start, block.end) for block in blocks(text)), (len(text), len(text))]:
        while position < low:
            match = _SENTENCE_END.search(text, position, low)
            end = match.end() if match else low
            found.append((position, end))
            position = end
        position = max(position, high)
    return found
