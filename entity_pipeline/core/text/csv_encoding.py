"""Which encoding a text file of a person is in: UTF-8, UTF-16 with its mark, or CP949, in which Korean Excel saves CSV.

CP949 is believed only where it decodes the whole file to Korean, because it also decodes much of other encodings, to
letters that no text has. Anything else is read as UTF-8, and what that can't decode is for the caller to refuse.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO

UTF_8 = "utf-8-sig"
KOREAN_EXCEL = "cp949"
ERRORS = "surrogateescape"
"""How to open the file: bytes that its encoding can't decode become escapes, which `is_undecoded` finds."""
_CHUNK_BYTES = 1_000_000
_ESCAPED = re.compile("[\udc80-\udcff]")
_SYLLABLES = re.compile("[가-힣]")
_JAMO = re.compile("[ㄱ-ㆎ]")
_LETTERS = re.compile(r"(?![\x00-\x7f])[^\W\d_]")


def encoding_of(stream: BinaryIO) -> str:
    """The name of the encoding, for `open`; the stream is read and put back to its start."""
    try:
        if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        if _decodes(_decoded(stream, UTF_8)):
            return UTF_8
        return KOREAN_EXCEL if _is_korean(_decoded(stream, KOREAN_EXCEL)) else UTF_8
    finally:
        stream.seek(0)


def is_undecoded(text: str) -> bool:
    """Whether the text holds bytes that its encoding could not decode."""
    return not text.isascii() and _ESCAPED.search(text) is not None


def _decoded(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """The pieces of the text; raises UnicodeDecodeError where it is not in this encoding."""
    stream.seek(0)
    return codecs.iterdecode(iter(partial(stream.read, _CHUNK_BYTES), b""), encoding)


def _decodes(pieces: Iterable[str]) -> bool:
    try:
        for _ in pieces:
            pass
    except UnicodeDecodeError:
        return False
    return True


def _is_korean(pieces: Iterable[str]) -> bool:
    """Whether it decodes, and nine letters of ten are Korean ones that are in common use, mostly whole syllables."""
    letters = syllables = jamo = 0
    try:
        for text in pieces:
            letters += len(_LETTERS.findall(text))
            syllables += sum(map(_is_common, _SYLLABLES.findall(text)))
            jamo += len(_JAMO.findall(text))
    except UnicodeDecodeError:
        return False
    return letters > 0 and syllables * 10 >= letters * 6 and (syllables + jamo) * 10 >= letters * 9


def _is_common(syllable: str) -> bool:
    """Whether the older standard has the syllable: CP949 adds the many that hardly any word has.

    Python spells those out there, in eight bytes.
    """
    return len(syllable.encode("euc_kr")) == 2
