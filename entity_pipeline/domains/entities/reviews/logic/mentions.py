"""Whether a sentence names an account, by its handle or by one of its names.

A Korean particle may follow a name without a space (``Gap은``, ``젠틀몬스터는``), so the word boundaries of regular
expressions do not apply. A name inside another handle or an address (``@gap_korea``, ``the.gap``) belongs to another
account.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

MIN_NAME = 2
MAX_WORD = 3  # a name or handle this short is also a word ("on", "gap"), unless it is capitalised

_EAST_ASIAN = "\u1100-\u11ff\u3040-\u30ff\u3131-\u318e\u3400-\u9fff\uac00-\ud7a3"
_NO_WORD_BEFORE = rf"(?<![^\W_{_EAST_ASIAN}])(?<!@)(?<!\w_)(?<![a-z0-9_]\.)"
_NO_WORD_AFTER = rf"(?![^\W_{_EAST_ASIAN}])(?!_\w)(?!\.[a-z0-9_])"
_PARTICLES = (
    "은|는|이|가|을|를|의|에|에서|에게|께서|와|과|랑|이랑|로|으로|도|만|까지|부터|보다|처럼|란|이란|라는|이라는|라고|이라고|"
    "라며|이라며|다|이다|입니다|이며|며|이고|고|이자|자|인|였다|이었다|였으며|이었으며|측|씨|님|들"
)
_KOREAN_END = rf"(?:{_PARTICLES}){{0,2}}(?![가-힣])"
_QUOTES = str.maketrans("’‘ʼ`´", "'''''")


def naming(handle: str, names: Iterable[str | None]) -> Callable[[str], bool]:
    """A test for sentences that hold the handle or one of the names; names under 2 characters are ignored."""
    patterns: list[str] = []
    capitals: list[str] = []  # count only where the sentence capitalises them
    if len(handle) > 1:
        bare = rf"(?<![a-z0-9_.]){re.escape(handle.casefold())}(?![a-z0-9_]|\.[a-z0-9_])"
        patterns.append(rf"(?<=[@/]){bare}")
        (capitals if _is_short_word(handle) else patterns).append(bare)
    for name in names:
        # Hyphens may also separate words, so a word of only hyphens would make matching very slow.
        words = [word for word in folded(name or "").split() if word.strip("-")]
        if len("".join(words)) >= MIN_NAME and any(letter.isalnum() for letter in "".join(words)):
            is_word = len(words) == 1 and _is_short_word(words[0])
            (capitals if is_word else patterns).append(_name_pattern(words))
    anywhere, capital = _any_of(patterns), _any_of(capitals)

    def names_it(sentence: str) -> bool:
        text = folded(sentence)
        if anywhere is not None and anywhere.search(text) is not None:
            return True
        if capital is None:
            return False
        shown = _without_accents(sentence)
        return any(_has_capital(shown, match.span()) for match in capital.finditer(text))

    return names_it


def _any_of(patterns: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None


def _is_short_word(text: str) -> bool:
    return len(text) <= MAX_WORD and text.isascii() and text.isalpha()


def _has_capital(shown: str, span: tuple[int, int]) -> bool:
    """Whether the letters that case folding made into `span` hold a capital; some fold into two."""
    position = 0
    for letter in shown:
        if span[0] <= position < span[1] and letter.isupper():
            return True
        position += len(letter.casefold())
    return False


def folded(text: str) -> str:
    """The text without case, accents and differences between quotation marks; Hangul composed."""
    return _without_accents(text).casefold()


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.translate(_QUOTES))
    bare = "".join(letter for letter in decomposed if not "\u0300" <= letter <= "\u036f")
    return unicodedata.normalize("NFC", bare)


def _name_pattern(words: list[str]) -> str:
    first, last = words[0][0], words[-1][-1]
    before = r"(?<![가-힣])" if _is_hangul(first) else _NO_WORD_BEFORE if first.isalnum() else ""
    after = _KOREAN_END if _is_hangul(last) else _NO_WORD_AFTER if last.isalnum() else ""
    joined = "".join(words)
    if len(joined) >= 4 and all(map(_is_hangul, joined)):
        # Spacing inside a Korean name varies: 젠틀몬스터, 젠틀 몬스터.
        return before + r"\s?".join(joined) + after
    return before + r"[\s\-]*".join(map(re.escape, words)) + after


def _is_hangul(letter: str) -> bool:
    return "가" <= letter <= "힣"
