"""Whether a sentence names an account, by its handle or by one of its names.

A Korean particle may follow a name without a space (``Gap은``, ``젠틀몬스터는``), so the word boundaries of regular
expressions do not apply. A name inside another handle or an address (``@gap_korea``, ``the.gap``) is another account's,
and a name that is also a word (``next``, ``guess``) counts only where it is written as a name. When two spellings are
one name is decided in `same_name`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from entity_pipeline.domains.entities.language.same_name import (
    HANGUL,
    initials,
    near_spellings,
    normalise_name,
    plain_letters,
    romanised,
)

MIN_NAME = 2
MAX_WORD = 3  # letters; a name this short in small letters is a word
LONGEST_NAME = 12  # words

_TOKEN = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]+|[^\W_가-힣ㄱ-ㅎㅏ-ㅣ]+|&")
# Another account's handle, or an address. A.P.C. is neither.
_ADDRESS = re.compile(
    r"https?://\S+|@[A-Za-z0-9_.]*[A-Za-z0-9_]|(?<![\w.])[A-Za-z0-9_]{2,}(?:\.[A-Za-z0-9_]{2,})+|[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+"
)
_JOINS = re.compile(r"[\s\-‐-―−.'’‘`´·•/()+|*_]{0,4}")
_PARTICLES = (
    "은|는|이|가|을|를|의|에|에서|에게|께서|와|과|랑|이랑|로|으로|도|만|까지|부터|보다|처럼|란|이란|라는|이라는|라고|이라고|"
    "라며|이라며|다|이다|입니다|이며|며|이고|고|이자|자|인|였다|이었다|였으며|이었으며|측|씨|님|들"
)
_KOREAN_END = re.compile(rf"(?:{_PARTICLES}){{0,2}}")
# Names that are also words which may begin a sentence. There they count only if the sentence goes on as about a name.
_COMMON = frozenset(
    "a above after all also always an and another any are as at be before best beyond boss both but by "
    "can coach come diesel do each else ever every everyone express fear fila first for free friends from "
    "gap go good guess he her here his how i if in into is it its just keep last less life like look love "
    "mango many me mission more most much muse my never new next nice no noah none nothing now obey of "
    "off on once one only or other our out over own palace people real right same she simple since so "
    "some soon still such super supreme target team that the their them then theory there these they this "
    "those time to today together too under uniform until up us vans very was we well what when where "
    "which while who why wish with yes you your".split()
)
_GOES_ON = frozenset("is was are were has had sells sold offers makes launched opened began".split())


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int

    @property
    def is_capital(self) -> bool:
        """Written as a name: with a capital, a digit, or in letters that know no capitals."""
        return not self.text.isascii() or not self.text.islower()


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One spelling of a name. `words` is how many words it has, `is_lower` whether it is written without capitals."""

    form: str
    words: int
    is_lower: bool


def naming(handle: str, names: Iterable[str | None]) -> Callable[[str], bool]:
    """A test for sentences that hold the handle or one of the names.

    Names of one letter count only where all names that are given stand in the sentence.
    """
    given = [name for name in names if name]
    at_handle = handle_pattern(handle)
    spelled = _spellings([*given, handle if handle.isalpha() else None])
    korean = [pattern for name in given if (pattern := _korean_pattern(name)) is not None]
    people = [found for name in given if (found := romanised(_latin_words(name)))]
    beginnings = {form[:length] for form in spelled for length in range(1, len(form) + 1)}
    bare = normalise_name(handle)
    short = {one for name in given if (one := initials(name)) and bare.startswith(one.lower())}
    letters = [name.strip() for name in given] if all(len(name.strip()) == 1 for name in given) else []

    def names_it(sentence: str) -> bool:
        shown = plain_letters(sentence)
        if at_handle.search(shown.lower()):
            return True
        text = _ADDRESS.sub("\x00", shown)
        if any(pattern.search(text) for pattern in korean):
            return True
        tokens = [_Token(found[0], *found.span()) for found in _TOKEN.finditer(text)]
        if len(letters) > 1 and all(letter in text for letter in letters):
            return True
        if any(token.text in short for token in tokens):
            return True
        return _spelled_in(text, tokens, spelled, beginnings) or any(
            _person_in(text, tokens, person) for person in people
        )

    return names_it


def handle_pattern(handle: str) -> re.Pattern[str]:
    """Finds a handle in lower-case text: behind ``@`` or ``/``, or alone if no word could be meant. "" is nowhere."""
    if not handle:
        return re.compile("(?!)")
    bare = rf"(?<![a-z0-9_.]){re.escape(handle.lower())}(?![a-z0-9_]|\.[a-z0-9_])"
    return re.compile(rf"(?<=[@/]){bare}" if handle.isalpha() else bare)


def _spellings(names: Iterable[str | None]) -> dict[str, _Spelling]:
    found: dict[str, _Spelling] = {}
    for name in names:
        for spelling in (name, *near_spellings(name)) if name else ():
            form, words = normalise_name(spelling), _latin_words(spelling)
            if len(form) >= MIN_NAME and not (HANGUL.search(spelling) and not words):
                found.setdefault(form, _Spelling(form, len(words), spelling == spelling.lower()))
    return found


def _latin_words(name: str) -> list[str]:
    return [token for token in _TOKEN.findall(plain_letters(name)) if not HANGUL.search(token)]


def _korean_pattern(name: str) -> re.Pattern[str] | None:
    """Of a name in Hangul; spacing inside it is a matter of taste (젠틀몬스터, 젠틀 몬스터)."""
    letters = normalise_name(name)
    if len(letters) < MIN_NAME or not all(HANGUL.match(letter) for letter in letters):
        return None
    joined = r"\s?".join(letters) if len(letters) >= 4 else letters
    return re.compile(rf"(?<![가-힣]){joined}{_KOREAN_END.pattern}(?![가-힣])")


def _spelled_in(
    text: str, tokens: Sequence[_Token], spelled: dict[str, _Spelling], beginnings: Collection[str]
) -> bool:
    """Whether neighbouring tokens spell a name. `beginnings` are those of all `spelled`, where to go on looking."""
    for first in range(len(tokens)):
        form = ""
        for last in range(first, min(first + LONGEST_NAME, len(tokens))):
            if last > first and not _JOINS.fullmatch(text[tokens[last - 1].end : tokens[last].start]):
                break
            form += normalise_name(tokens[last].text)
            if form not in beginnings:
                break
            found = spelled.get(form)
            if found is not None and _is_written_as_a_name(text, tokens, first, last, found):
                return True
    return False


def _is_written_as_a_name(
    text: str, tokens: Sequence[_Token], first: int, last: int, spelling: _Spelling
) -> bool:
    written = tokens[first : last + 1]
    if first and tokens[first - 1].text == "&" and tokens[first - 1].end == written[0].start:
        return False
    following = tokens[last + 1] if last + 1 < len(tokens) else None
    if following is not None and following.start == written[-1].end and HANGUL.match(following.text):
        if not _KOREAN_END.fullmatch(following.text):
            return False
    elif following is not None and following.start == written[-1].end:
        return False
    if len(written) > 1 and len(written) > spelling.words:
        return all(token.is_capital or token.text == "and" for token in written)
    if any(token.is_capital for token in written):
        return not _begins_as_a_word(text, tokens, first, last, spelling)
    # In small letters: as the name itself is, and quoted, behind "Name:", or where no word could be meant.
    if spelling.is_lower and text[: written[0].start].rstrip(" *").endswith((":", '"', "“", "'")):
        return True
    is_word = spelling.form in _COMMON or len(spelling.form) <= MAX_WORD
    opens = first == 0 and following is not None and following.text in _GOES_ON
    return (spelling.is_lower and not is_word) or (opens and len(written) == 1)


def _begins_as_a_word(
    text: str, tokens: Sequence[_Token], first: int, last: int, spelling: _Spelling
) -> bool:
    """Whether a name that is also a word stands where any word would have a capital, or inside a longer name."""
    if first != last or spelling.form not in _COMMON or not text[tokens[first].start :].isascii():
        return False
    if len(tokens[first].text) > 1 and tokens[first].text.isupper():
        return False
    following = tokens[last + 1] if last + 1 < len(tokens) else None
    if following is None:
        return first == 0
    gap = text[tokens[last].end : following.start]
    if first == 0:
        return not (following.text in _GOES_ON or gap.strip().startswith(("(", "'s")) or "\x00" in gap)
    return gap == " " and following.text[:1].isupper()


def _person_in(text: str, tokens: Sequence[_Token], person: frozenset[str]) -> bool:
    for count in (2, 3):
        for first in range(len(tokens) - count + 1):
            written = tokens[first : first + count]
            gaps = [text[a.end : b.start] for a, b in pairwise(written)]
            if (
                not all(gap in (" ", "-", "") for gap in gaps)
                or not written[0].is_capital
                or not written[-1].text.isascii()
            ):
                continue
            words = [token.text for token in written]
            if not person.isdisjoint(romanised(words)):
                return True
    return False
