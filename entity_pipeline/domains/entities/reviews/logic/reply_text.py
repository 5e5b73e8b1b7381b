"""The text of a reply, and which of its sentences a `segment` of its grounding touches.

The offsets of a segment are UTF-8 bytes, so with Korean text they are not indices into a Python string. They may be
anything at all; nothing here raises.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.gemini.reply_body import MAX_REPLY_CHARS
from entity_pipeline.core.text.json_block import blocks, load_object
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.entities.language.sentences import sentence_ends

_MAX_PASSAGE = 2_000  # characters; longer is not a claim about an account
_MAX_SEGMENT = 10_000  # characters; a claim and the JSON block after it
_MAX_REASONING = 2_000


@dataclass(frozen=True, slots=True)
class Passage:
    """Neighbouring sentences: where they are in `ReplyText.sentences`, and their text."""

    sentences: range
    text: str


@dataclass(frozen=True, slots=True)
class ReplyText:
    """`sentences` are those of the prose outside JSON blocks, then those of the blocks' `reasoning`."""

    text: str
    data: bytes
    part_starts: Sequence[int]  # bytes
    prose: Sequence[tuple[int, int]]  # where the sentences of the prose are, in characters
    sentences: Sequence[str]

    @classmethod
    def of(cls, parts: Sequence[str]) -> "ReplyText":
        """The text of a reply's parts; no sentences if it is longer than a reply may be."""
        text = "".join(parts)
        if len(text) > MAX_REPLY_CHARS:
            return cls("", b"", (), (), ())
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + len(part.encode("utf-8", "surrogatepass")))
        prose, reasoning = _sentences(text)
        sentences = [*(text[low:high] for low, high in prose), *reasoning]
        return cls(text, text.encode("utf-8", "surrogatepass"), starts, prose, sentences)

    def touched(self, segments: Sequence[Mapping[str, Any]]) -> list[list[Passage]]:
        """The passages that each segment touches.

        Where it touches no prose, the sentences of the `reasoning` that it repeats. JSON between two passages is left
        out, and so is a passage longer than `_MAX_PASSAGE`.
        """
        return [
            [
                passage
                for sentences in self._touched(segment)
                if len((passage := self._passage(sentences)).text) <= _MAX_PASSAGE
            ]
            for segment in segments
        ]

    def _passage(self, sentences: range) -> Passage:
        return Passage(sentences, "".join(self.sentences[at] for at in sentences))

    def _touched(self, segment: Mapping[str, Any]) -> list[range]:
        span = self._span(segment)
        if span is None or span[1] - span[0] > _MAX_SEGMENT:
            return []
        passages: list[range] = []
        first = max(bisect_right(self.prose, span[0], key=lambda sentence: sentence[0]) - 1, 0)
        for at in range(first, len(self.prose)):
            low, high = self.prose[at]
            if low >= span[1]:
                break
            touched = self.text[max(low, span[0]) : min(high, span[1])]
            if not any(letter.isalnum() for letter in touched):
                continue
            if passages and not self.text[self.prose[passages[-1][-1]][1] : low].strip():
                passages[-1] = range(passages[-1].start, at + 1)
            else:
                passages.append(range(at, at + 1))
        return passages or self._of_the_reasoning(self.text[span[0] : span[1]])

    def _of_the_reasoning(self, segment: str) -> list[range]:
        cited = one_line(segment.replace('\\"', '"'), _MAX_REASONING).strip(' ",')
        return [
            range(at, at + 1)
            for at in range(len(self.prose), len(self.sentences))
            if (sentence := self.sentences[at].strip()) in cited or (" " in cited and cited in sentence)
        ]

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


def _sentences(text: str) -> tuple[list[tuple[int, int]], list[str]]:
    """Where the sentences of the prose are, and the sentences of each block's `reasoning`."""
    prose: list[tuple[int, int]] = []
    reasoning: list[str] = []
    position = 0
    for block in blocks(text):
        prose += _spans(text, position, block.start)
        position = max(position, block.end)
        said = (load_object(block.json) or {}).get("reasoning") if block.json is not None else None
        if isinstance(said, str):
            line = one_line(said, _MAX_REASONING)
            reasoning += [line[low:high] for low, high in _spans(line, 0, len(line))]
    return prose + _spans(text, position, len(text)), reasoning


def _spans(text: str, low: int, high: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for end in sentence_ends(text, low, high) if low < high else ():
        found.append((low, end))
        low = end
    return found
