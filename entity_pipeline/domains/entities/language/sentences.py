"""The sentences of a reply's prose: where they end, which of them deny, and which go on about the one before. Pure."""

import re
from collections.abc import Callable, Sequence

from entity_pipeline.domains.entities.models import AccountType

_END = re.compile(
    r"(?<![.!?。！？…])[.!?。！？…]++(?:[\"'”’)\]]|\[[^\]\n]{0,40}\]){0,8}(?=\s|$)|(?<=[가-힣])[.](?=[가-힣])|\n+"
)
# "A.P.C. is", "Dr. Martens", "Shinsegae Inc. runs": the full stop belongs to the word.
_ABBREVIATED = re.compile(
    r"(?:(?<![^\W_])[A-Za-z]|(?<![^\W_])(?:Dr|Mr|Mrs|Ms|St|Jr|Sr|Inc|Cia|Cie|Bros|Prof|Co|Corp|Ltd|No|vs|feat|ft|est|e\.g|i\.e))\.$"
)

_DENIAL = re.compile(
    r"\bno (?:\w+ ){0,4}(?:information|results?|evidence|records?|sources?|mentions?|details|confirmation)\b|"
    r"\b(?:could|can|was|were|is|are|did|does|do|has|have)(?: not|n't|n’t|not) (?:\w+ ){0,3}?"
    r"(?:find|found|locate|located|identif\w+|verif\w+|confirm\w*|appear|available|mention\w*|clear|known)\b|"
    r"\b(?:unable|failed) to (?:find|locate|identify|verify|confirm)\b|"
    r"(?:찾을 수 없|찾지 못|확인할 수 없|확인되지 않|확인하지 못|알 수 없|나타나지 않|검색되지 않)|"
    r"(?:정보가 없|정보는 없|결과가 없)",
    re.IGNORECASE,
)
_NOT_THEIRS = re.compile(
    r"\bfan(?:s|dom)?[\s-]*(?:run|made|page|account|site|base|club|community|archive|edits?)\b|"
    r"\brun by (?:a |its |\w+ )?fans?\b|\bunofficial\b|\btribute\b|\bparody\b|\bimpersonat|\bimposter\b|\bfake\b|"
    r"\bnot (?:an? |the |its |her |his |their )?(?:official|affiliated|verified|endorsed)|"
    r"\bdedicated to (?:the )?(?:fans|news about|archiving)|"
    r"팬\s?(?:계정|페이지|카페|클럽|사이트|아카이브|덤)|팬(?:이|들이) 운영|비공식|사칭|"
    r"공식(?: 계정)?(?:이|은|는)? 아니",
    re.IGNORECASE,
)

_OWNED = re.compile(
    r"\bofficial (?:main |global )?(?:instagram |ig )?(?:account|handle|page|profile|instagram)\b|\bbelongs? to\b|공식",
    re.IGNORECASE,
)

_ANYBODY = "it|they|its|their|this account|the account|이 계정|해당 계정"
_NOUNS = {
    AccountType.ARTIST: (
        "he|she|his|her|the (?:singer|artist|actor|actress|model|rapper|idol|designer|musician)|그는|그녀는|그의|그녀의"
    ),
    AccountType.BRAND: (
        "the (?:brand|label|company|house|retailer|store|shop|business|maison)(?:'s|’s)?|"
        "(?:이|해당|동) ?(?:브랜드|회사|업체|레이블)"
    ),
    AccountType.GROUP: "the (?:group|band|duo|trio|act)(?:'s|’s)?|(?:이|해당) ?(?:그룹|밴드|팀)",
}
_GOES_ON = {
    kind: re.compile(rf"\W*(?:{_ANYBODY}|{_NOUNS.get(kind, '(?!)')})(?![^\W_])", re.IGNORECASE)
    for kind in AccountType
}
_ITEM = re.compile(r"[ \t]*(?:[*•·\-–]|\d{1,2}[.)])[ \t]+")
_VERB = re.compile(
    r"\b(?:is|was|are|were|has|had|have|will|would|can|may|belongs?|launched|founded|opened|debuted|sells|makes|"
    r"offers|operates|runs)\b|"
    r"(?<=\S )(?:near|beside|at|in|with|by|from|under|behind|about|against|like|next to)\b|"
    r"[가-힣](?:은|는|이|가)(?=\s)",
    re.IGNORECASE,
)


def sentence_ends(text: str, low: int, high: int) -> list[int]:
    """Where the sentences of ``text[low:high]`` end; the last one ends at `high`."""
    ends: list[int] = []
    for found in _END.finditer(text, low, high):
        is_line = "\n" in found[0]
        if not is_line and _ABBREVIATED.search(text[max(low, found.start() - 12) : found.start() + 1]):
            continue
        ends.append(found.end())
    return ends if ends and ends[-1] == high else [*ends, high]


def is_denial(sentence: str) -> bool:
    """Whether the sentence says that nothing was found, which proves nothing about anybody."""
    return _DENIAL.search(sentence) is not None


def is_not_theirs(sentence: str) -> bool:
    """Whether the sentence calls an account a fan's, unofficial or an imitation."""
    return _NOT_THEIRS.search(sentence) is not None


def is_owned(sentence: str) -> bool:
    """Whether the sentence says that an account is the official one of its entity; see also `is_not_theirs`."""
    return _OWNED.search(sentence) is not None


def about_the_account(
    sentences: Sequence[str], names_it: Callable[[str], bool], account_type: AccountType
) -> list[bool]:
    """Which of these sentences, in the reply's order, are statements about the account's entity.

    One that names it; one that goes on about it ("The brand ...", "It ...") behind a sentence whose subject it is; and
    an item of a list under an item or a heading that names it. A denial is about no entity.
    """
    found: list[bool] = []
    is_subject = in_list = False
    goes_on = _GOES_ON[account_type]
    for sentence in sentences:
        if not sentence.strip():
            found.append(False)
            continue
        item = _ITEM.match(sentence) is not None
        named = names_it(sentence)
        carried = not named and ((is_subject and goes_on.match(sentence) is not None) or (item and in_list))
        is_about = (named or carried) and not is_denial(sentence)
        found.append(is_about)
        is_heading = sentence.strip().endswith(":") or sentence.lstrip().startswith("#")
        in_list = (item or is_heading) and (named or (item and in_list))
        is_subject = is_about and (carried or names_it(_subject(sentence)))
    return found


def _subject(sentence: str) -> str:
    """The part of a sentence before its verb; all of it if it has none that we know."""
    verb = _VERB.search(sentence)
    return sentence if verb is None else sentence[: verb.end() if _is_particle(verb[0]) else verb.start()]


def _is_particle(text: str) -> bool:
    return "가" <= text[0] <= "힣"
