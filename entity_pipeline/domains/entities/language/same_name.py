"""When two spellings of a name are the same name: one idea for the honesty gate, matching and checks. Pure.

`normalise_name` is identity. `near_forms` are the other forms under which people write a name; they are enough to
recognise it in a sentence about the account, and a reason to ask a person when the catalog has a name so near. The
SQL function `entity_pipeline_name_key` repeats `normalise_name` for an index and only finds candidates: for letters
beyond the alphabets it knows, it leaves capitals as they are, and it does not decode HTML.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

_TRADE_MARKS = re.compile("[™℠]")  # NFKD would make letters of them
_ENTITY = re.compile("&#?[a-zA-Z0-9]{1,8};")
_COMBINING_MARKS = re.compile("[\u0300-\u036f]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
# Letters that Unicode does not take apart.
_PLAIN_LETTERS = dict(
    zip("æœøđðþłħŧŋßıə×", "ae oe o d d th l h t n ss i e x".split(), strict=True),
)
_LETTERS = str.maketrans(
    _PLAIN_LETTERS
    | {letter.upper(): plain.title() for letter, plain in _PLAIN_LETTERS.items() if letter not in "ßı×"}
    | {"ẞ": "SS"}
)
_SEPARATORS = re.compile(r"[\s!-/:-@\[-`{-~‘’“”‐-―−·•・®©˚°]")
_WORDS = re.compile(r"[^\W_]+")
HANGUL = re.compile("[가-힣]")
_REMARK = re.compile(r"\s*[(\[（［]([^()\[\]（）［］]+)[)\]）］]\s*")

# Words that a name is written with and without.
_GENERIC = frozenset(
    "official studio studios korea seoul global worldwide intl international co inc ltd llc corp company brand label "
    "clothing apparel store shop paris london milano tokyo".split()
)
_FAMILY_NAMES = {
    spelling: spellings.split()[0]
    for spellings in (
        "kim gim|lee yi rhee ree i|park bak pak bark|choi choe|jung jeong chung joung|kang gang|cho jo|yoon "
        "yun youn|jang chang|lim im rim yim|han|oh o|seo suh|shin sin|kwon gwon|hwang|ahn an|song|ryu yoo yu "
        "you ryoo|hong|ko go goh koh|moon mun|yang|bae pae|baek paik baik|heo hur huh|nam|shim sim|noh no "
        "roh|ha|kwak gwak|sung seong|cha|joo ju|woo wu|min|jin chin|na ra|um eom uhm|byun byeon|gu koo ku "
        "goo|ji chi|tak|pyo|ok|do doh|byeol"
    ).split("|")
    for spelling in spellings.split()
}
_SYLLABLES = (
    ("yeo", "yo"), ("eo", "o"), ("oo", "u"), ("ee", "i"), ("ui", "i"), ("wu", "u"), ("ou", "u"), ("ae", "e"),
    ("ch", "j"), ("g", "k"), ("l", "r"),
)  # fmt: skip


def plain_letters(text: str) -> str:
    """`text` without accents, widths, HTML entities and invisible letters; case, spaces and signs stay."""
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    unmarked = unicodedata.normalize("NFKD", _TRADE_MARKS.sub("", _INVISIBLE.sub("", text)))
    return unicodedata.normalize("NFKC", _COMBINING_MARKS.sub("", unmarked)).translate(_LETTERS)


def normalise_name(text: str | None) -> str:
    """The form in which two spellings of one name are equal; ``""`` when nothing of it can be compared.

    Width, case, accents, white space and punctuation don't count, and ``&`` is "and"; a dakuten or a Hangul jamo does.
    """
    if not text:
        return ""
    # Letter by letter, because lower() of a whole word turns a Greek Σ at its end into another letter.
    lowered = "".join(letter.lower() for letter in plain_letters(text))
    return _SEPARATORS.sub("", lowered.replace("&", "and"))


def normalised(names: Iterable[str | None]) -> frozenset[str]:
    """The comparable forms of several names, without the empty ones."""
    return frozenset(form for form in map(normalise_name, names) if form)


def near_spellings(name: str | None) -> tuple[str, ...]:
    """Other spellings of `name`: without "The", a remark in brackets or a generic last word, and with words turned."""
    if not name:
        return ()
    found = [_REMARK.sub("", name), *_REMARK.findall(name), re.sub(r"\((\w{1,2})\)", "", name)]
    words = plain_letters(name).split()
    if len(words) > 1:
        found.append(" ".join(words[1:]) if words[0].lower() == "the" else f"The {name}")
        if words[-1].lower().strip(".") in _GENERIC:
            found.append(" ".join(words[:-1]))
    if len(words) in (2, 3) and not HANGUL.search(name):
        found += [" ".join([*words[1:], words[0]]), " ".join([words[-1], *words[:-1]])]
    return tuple(dict.fromkeys(one.strip() for one in found if one.strip() and one.strip() != name))


def near_forms(names: Iterable[str | None]) -> frozenset[str]:
    """The comparable forms of the other spellings of several names."""
    return normalised(spelling for name in names for spelling in near_spellings(name))


def initials(name: str | None) -> str | None:
    """``TXT`` for ``TOMORROW X TOGETHER``; None for a name of fewer than three words."""
    words = _WORDS.findall(plain_letters(name or ""))
    return "".join(word[0] for word in words).upper() if len(words) >= 3 else None


def romanised(words: Sequence[str]) -> frozenset[str]:
    """The forms, family name first, of a Korean person's name in Latin letters: Jung Ho-yeon, HoYeon Jeong.

    Two or three words, of which the first or the last is a family name; else nothing.
    """
    lowered = [word.lower() for word in words]
    if not 2 <= len(lowered) <= 3:
        return frozenset()
    found = []
    for family, given in ((lowered[0], lowered[1:]), (lowered[-1], lowered[:-1])):
        if family in _FAMILY_NAMES and given:
            found.append(f"{_FAMILY_NAMES[family]} {_syllables(''.join(given))}")
    return frozenset(found)


def _syllables(given: str) -> str:
    for spelled, plain in _SYLLABLES:
        given = given.replace(spelled, plain)
    return given


def spellings(name: str) -> list[str]:
    """`name` in the letter cases under which a database that doesn't know its alphabet may still find it."""
    return list(dict.fromkeys((name, name.lower(), name.upper(), name.title())))
