"""Names that don't match, judged by the names alone. Pure; nothing here decides or changes anything.

Most pairs that don't sound alike are right (여자친구 is GFRIEND, a translation). So two names are reported as different
only for brands, if the Korean one is spelt like a foreign word, or if one is a legal name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from uuid import UUID

from entity_pipeline.domains.entities.language.same_name import normalise_name, normalised
from entity_pipeline.domains.entities.models import EntityTable
from entity_pipeline.domains.entities.reviews.logic.reviewed_names import has_hangul

# None of 131 true pairs with this many consonants is below it, but six in ten random pairs are.
_SOUNDS_DIFFERENT = 0.45
_OTHER_PERSON = 0.5
_SAME_SOUND = 0.67
_LEAST_CONSONANTS = 3
# This many similar names ("브랜드 1", "브랜드 2") are a series, not spellings of one name.
_MOST_COMPARED = 20


class NameFinding(StrEnum):
    """The reason why a name is reported."""

    WRONG_SCRIPT = "wrong_script"
    DIFFERENT_NAMES = "different_names"
    STAGE_AND_LEGAL_NAME = "stage_and_legal_name"
    SAME_NAME_TWICE = "same_name_twice"
    SAME_NAME_IN_TWO_SCRIPTS = "same_name_in_two_scripts"
    TWO_GROUPS = "two_groups"

    @property
    def why(self) -> str:
        """One sentence for people."""
        return _WORDS[self][0]

    @property
    def what_to_do(self) -> str:
        """One sentence that says what to do."""
        return _WORDS[self][1]


_WORDS = {
    NameFinding.WRONG_SCRIPT: (
        "The English name holds Hangul, or the Korean name holds none.",
        "Put each name into the column of its script, or empty the column.",
    ),
    NameFinding.DIFFERENT_NAMES: (
        "The Korean name should sound like the English name but does not.",
        "Check whether both belong to this entity, and correct the one that does not.",
    ),
    NameFinding.STAGE_AND_LEGAL_NAME: (
        "One name looks like a legal name and the other like a stage name.",
        "If this is one person, use the stage name in both columns.",
    ),
    NameFinding.SAME_NAME_TWICE: (
        "Another entity has the same name.",
        "If both are the same, keep one and move the accounts of the other to it.",
    ),
    NameFinding.SAME_NAME_IN_TWO_SCRIPTS: (
        "An entity with only an English name sounds like one with only a Korean name.",
        "If both are the same, keep one with both names and move the accounts of the other to it.",
    ),
    NameFinding.TWO_GROUPS: (
        "This person is an active member of several groups.",
        "If one membership has ended, set it inactive; if two people were mixed up, separate them.",
    ),
}


@dataclass(frozen=True, slots=True)
class NamedEntity:
    """An entity for the checks; `has_account` says whether it has a primary account."""

    table: EntityTable
    id: UUID
    name_en: str | None
    name_ko: str | None
    has_account: bool = False

    @property
    def shown(self) -> str:
        """Both names, for people to read."""
        return " / ".join(name for name in (self.name_ko, self.name_en) if name) or "(no name)"


@dataclass(frozen=True, slots=True)
class Membership:
    """A person and the names of one group they are an active member of."""

    person: NamedEntity
    group: NamedEntity


@dataclass(frozen=True, slots=True)
class NameProblem:
    """One line of a list; `others` are the other rows that it concerns."""

    entity: NamedEntity
    finding: NameFinding
    others: tuple[NamedEntity, ...] = ()


def check_pair(entity: NamedEntity) -> NameFinding | None:
    """The problem with the two names of one entity, as far as the names alone show it."""
    english, korean = entity.name_en, entity.name_ko
    if (english and has_hangul(english)) or (korean and not has_hangul(korean)):
        return NameFinding.WRONG_SCRIPT
    if not english or not korean:
        return None
    if entity.table is EntityTable.ARTISTS and _legal_and_stage(english, korean):
        return NameFinding.STAGE_AND_LEGAL_NAME
    ours, theirs = consonants(english), consonants(korean)
    # Brands are transliterated, groups and artists as often translated.
    may_be_translated = entity.table is not EntityTable.BRANDS and not _looks_foreign(korean)
    if min(len(ours), len(theirs)) < _LEAST_CONSONANTS or may_be_translated:
        return None
    shared = _common(ours, theirs) / min(len(ours), len(theirs))
    return NameFinding.DIFFERENT_NAMES if shared < _SOUNDS_DIFFERENT else None


def look_the_same(one: NamedEntity, other: NamedEntity) -> bool:
    """Whether they share a name and differ in none. Two artists with an account each are two people with one name."""
    if one.table is EntityTable.ARTISTS and one.has_account and other.has_account:
        return False
    ours, theirs = (normalised((item.name_en, item.name_ko)) for item in (one, other))
    if ours.isdisjoint(theirs):
        return False
    pairs = ((one.name_en, other.name_en), (one.name_ko, other.name_ko))
    forms = [(normalise_name(first), normalise_name(second)) for first, second in pairs]
    return not any(first and second and first not in theirs and second not in ours for first, second in forms)


def same_in_two_scripts(entities: Sequence[NamedEntity]) -> Iterator[NameProblem]:
    """Entities of one table with only an English name, and those with only a Korean name that sound alike."""
    korean: dict[tuple[EntityTable, str], list[NamedEntity]] = {}
    for entity in entities:
        if entity.name_ko and not entity.name_en:
            korean.setdefault((entity.table, consonants(entity.name_ko)), []).append(entity)
    for entity in entities:
        if not entity.name_en or entity.name_ko:
            continue
        key = consonants(entity.name_en)
        others = korean.get((entity.table, key), ())
        if len(key) < _LEAST_CONSONANTS or len(others) > _MOST_COMPARED:
            continue
        for other in others:
            if _alike(entity.name_en, other.name_ko or "") >= _SAME_SOUND:
                yield NameProblem(entity, NameFinding.SAME_NAME_IN_TWO_SCRIPTS, (other,))


def in_several_groups(memberships: Sequence[Membership]) -> Iterator[NameProblem]:
    """People in several groups of which none is part of another by its name (as EXO-CBX is of EXO)."""
    by_person: dict[UUID, list[Membership]] = {}
    for membership in memberships:
        by_person.setdefault(membership.person.id, []).append(membership)
    for found in by_person.values():
        apart: list[NamedEntity] = []
        for membership in found:
            if not any(_is_part(membership.group, group) for group in apart):
                apart.append(membership.group)
        if len(apart) > 1:
            yield NameProblem(found[0].person, NameFinding.TWO_GROUPS, tuple(apart))


def _is_part(one: NamedEntity, other: NamedEntity) -> bool:
    return any(
        ours in theirs or theirs in ours
        for ours in normalised((one.name_en, one.name_ko))
        for theirs in normalised((other.name_en, other.name_ko))
    )


# --- sounds -------------------------------------------------------------------------------------------------

_PAIRS = {"ch": "J", "sh": "S", "ph": "P", "th": "T", "ck": "K", "qu": "K", "x": "KS", "ng": "N", "gn": "N"}
_CONSONANTS = {
    letter: sound
    for letters, sound in (("bpfv", "P"), ("dt", "T"), ("gkcq", "K"), ("jz", "J"), ("s", "S"), ("lr", "L"))
    for letter in letters
} | {"m": "M", "n": "N"}
# Spellings of one sound, longest first.
_SPELLINGS = (
    *(("ck", "k"), ("ch", "j"), ("sh", "s"), ("ph", "p"), ("oo", "u"), ("ou", "u"), ("eo", "o"), ("eu", "u")),
    *(("ae", "e"), ("ee", "i"), ("y", ""), ("w", "u"), ("h", ""), ("z", "j"), ("g", "k"), ("q", "k")),
    *(("c", "k"), ("d", "t"), ("b", "p"), ("f", "p"), ("v", "p"), ("r", "l")),
)
_REPEATED = re.compile(r"(.)\1+")
_SURNAMES_KO = frozenset(
    "김이박최정강조윤장임림한오서신권황안송류유홍전고문손양배백허남심노하주구차우민변진나엄원천방공현함염석설길연표명기"
)
_SURNAMES_EN = frozenset(
    "kim lee yi rhee park bak choi choe jung jeong chung kang gang cho jo yoon yun jang chang lim im rim han oh seo "
    "suh shin sin kwon gwon hwang ahn an song ryu yoo yu hong jeon jun chun ko go moon mun son sohn yang bae baek "
    "heo huh nam shim sim noh no roh ha joo ju koo gu cha woo min byun jin na um won bang kong hyun ham yeom".split()
)


def consonants(name: str) -> str:
    """The consonants of a name in either script, as classes of sounds that transliterations confuse."""
    text = _latin(name)
    if not has_hangul(name):
        # Soft c and g, and a silent r: 몬스터 has none.
        text = re.sub("g(?=[eiy])", "j", re.sub("c(?=[eiy])", "s", text))
        text = re.sub("r(?![aeiouyr])", "", re.sub("rr+", "r", text))
    for letters, sound in _PAIRS.items():
        text = text.replace(letters, sound)
    sounds = "".join(letter if letter.isupper() else _CONSONANTS.get(letter, " ") for letter in text)
    return _REPEATED.sub(r"\1", sounds).replace(" ", "")


def _alike(english: str, korean: str) -> float:
    """How alike two names sound, vowels included; 0 to 1."""
    return SequenceMatcher(None, _sound(english), _sound(korean), autojunk=False).ratio()


def _sound(name: str) -> str:
    text = _latin(name)
    for spelling, sound in _SPELLINGS:
        text = text.replace(spelling, sound)
    return _REPEATED.sub(r"\1", text)


def _latin(name: str) -> str:
    from anyascii import anyascii

    # A final ㅅ is pronounced as t.
    spoken = re.sub("s(?=[A-Z]|$)", "t", anyascii(name)) if has_hangul(name) else anyascii(name)
    return re.sub("[^a-z]", "", spoken.lower())


def _common(one: str, other: str) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for letter in one:
        before = row
        row = [0]
        for column, theirs in enumerate(other):
            row.append(before[column] + 1 if letter == theirs else max(before[column + 1], row[column]))
    return row[-1]


def _looks_foreign(korean: str) -> bool:
    """Whether a syllable is open with ㅡ (스, 트, 크) or begins with ㅋ, which is rare in native Korean words."""
    for letter in korean:
        place = ord(letter) - 0xAC00
        if 0 <= place < 11_172:
            initial, vowel, final = place // 588, place % 588 // 28, place % 28
            if initial == 15 or (vowel == 18 and final == 0 and initial != 11):
                return True
    return False


def _legal_and_stage(english: str, korean: str) -> bool:
    """Whether one name is a full legal name, and the other is not a spelling of it or of its given name."""
    syllables = korean.replace(" ", "")
    words = re.split(r"[\s-]+", english.lower().strip())
    korean_is_legal = len(syllables) == 3 and syllables[0] in _SURNAMES_KO and not _looks_foreign(syllables)
    english_is_legal = len(words) > 1 and bool({words[0], words[-1]} & _SURNAMES_EN)
    if not (korean_is_legal or english_is_legal):
        return False
    if korean_is_legal and english_is_legal:
        return False  # two spellings of a surname and a given name; nothing is certain beyond that
    return max(_alike(english, syllables), _alike(english, syllables[1:])) <= _OTHER_PERSON
