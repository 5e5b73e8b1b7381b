"""The two ties that a review must prove before it is written: this account is this entity, and the claim is true of it.

A sentence with a source about an entity proves nothing about an account that merely spells its name, such as a fan's
archive. Pure; each function returns the reasons to hold, and nothing when the tie is there.
"""

import re
from collections.abc import Iterable, Sequence

from entity_pipeline.core.jsonb import json_items
from entity_pipeline.core.text.web_address import address_parts
from entity_pipeline.domains.entities.language.described import Described, Subject, described
from entity_pipeline.domains.entities.language.mentions import handle_pattern, naming
from entity_pipeline.domains.entities.language.same_name import (
    near_forms,
    normalise_name,
    normalised,
    romanised,
)
from entity_pipeline.domains.entities.language.sentences import is_not_theirs
from entity_pipeline.domains.entities.links.logic.decisions import Candidates
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import (
    Account,
    AccountType,
    Entity,
    HandleTie,
    Review,
    Verdict,
    is_overruled,
)

# Beside the name in a handle, these are what owners add, and those are what others add.
_OWNERS = (
    "officially|official|offical|oficial|officiel|ufficiale|ofcl|ofc|studios|studio|brand|label|store|shop|clothing|"
    "apparel|korea|kor|kr|seoul|japan|jp|usa|us|uk|eu|china|cn|asia|global|worldwide|world|intl|homme|man|men|woman|women|kids|the|real|iam|its|"
    "im|hq|ent|music|band|team|x|paris|london|newyork|nyc|milano|tokyo|busan|\\d{1,4}"
)
_OWNERS_SPLIT = "official|korea|kr"
_OWNERS_ONLY = re.compile(f"(?:{_OWNERS})*")
_OTHERS = (
    "fans?|fandom|fanpage|fanclub|archives?|daily|updates?|cafe|lovers?|pics|union|clips?|tribute|parody|stan|fc|"
    "팬|아카이브|데일리|카페"
)
_ANYBODYS = frozenset(
    "instagram.com facebook.com twitter.com x.com youtube.com tiktok.com threads.net linktr.ee namu.wiki wikipedia.org "
    "en.wikipedia.org ko.wikipedia.org naver.com blog.naver.com smartstore.naver.com bit.ly weibo.com".split()
)
_SUBJECT_OF = {
    AccountType.ARTIST: Subject.PERSON,
    AccountType.GROUP: Subject.GROUP,
    AccountType.BRAND: Subject.FASHION,
}


def account_unproven(account: Account, verdict: Verdict, candidates: Candidates) -> tuple[HoldReason, ...]:
    """Nothing says that this account is the entity's own, or something says that it is not."""
    if _is_linked(account, candidates):
        return ()
    if verdict.handle_tie is HandleTie.DISOWNED or is_not_theirs(account.bio or ""):
        return (HoldReason.NOT_OFFICIAL,)
    review = verdict.review
    if _in_a_claim(account, verdict) or _profile_agrees(account, review) or _shares_a_site(account, verdict):
        return ()
    rest = _beside_the_name(account.handle or "", review)
    if _is_others(account.handle or "", rest):
        return (HoldReason.ACCOUNT_UNPROVEN,)
    is_spelled = rest is not None and _is_owners(rest, verdict.claims)
    if is_spelled or verdict.handle_tie is HandleTie.STATED:
        return ()
    return (HoldReason.ACCOUNT_UNPROVEN,)


def claim_unproven(verdict: Verdict) -> tuple[HoldReason, ...]:
    """No sentence with a source says that the entity is of the review's type, or one says that it is something else."""
    wanted = _SUBJECT_OF.get(verdict.review.account_type)
    if wanted is None:
        return ()
    found = [described(claim) for claim in verdict.claims]
    if any(one.defined is wanted for one in found):
        return ()
    if _contradicts(found, wanted):
        return (HoldReason.FIELD_DIFFERS,)
    return () if any(wanted in one.mentions for one in found) else (HoldReason.CLAIM_UNPROVEN,)


def attach_unproven(verdict: Verdict, homes: Iterable[Entity]) -> tuple[HoldReason, ...]:
    """Neither the review's names nor a sentence with a source names the entity that the account would join."""
    ours = _all_forms((verdict.review.name_en, verdict.review.name_ko))
    for home in homes:
        names = (home.name_en, home.name_ko)
        names_it = naming("", names)
        theirs = _all_forms(names)
        begins = any(one.startswith(form) for one in ours for form in theirs if len(form) > 3)
        if ours.isdisjoint(theirs) and not begins and not any(names_it(claim) for claim in verdict.claims):
            return (HoldReason.ATTACH_UNPROVEN,)
    return ()


def overruled(review: Review) -> Review:
    """The review under the fashion-only rule: a brand of a field that is not fashion is `other`."""
    if is_overruled(review.account_type, review.field):
        return review.model_copy(update={"account_type": AccountType.OTHER})
    return review


def _contradicts(found: Sequence[Described], wanted: Subject) -> bool:
    """A sentence calls it something else; a group in a person's sentence, or the reverse, does not count."""
    people = (Subject.PERSON, Subject.GROUP)
    fine = people if wanted in people else (wanted,)
    return any(one.defined is not None and one.defined not in fine for one in found)


def _is_linked(account: Account, candidates: Candidates) -> bool:
    """Linked by a person, or by an earlier decision that a person let stand."""
    return bool(account.links) or any(item.primary_account_id == account.id for item in candidates.linked)


def _in_a_claim(account: Account, verdict: Verdict) -> bool:
    if account.handle is None:
        return False
    if verdict.handle_tie is HandleTie.SUPPORTED:
        return True
    pattern = handle_pattern(account.handle)
    return any(pattern.search(claim.lower()) and not is_not_theirs(claim) for claim in verdict.claims)


def _profile_agrees(account: Account, review: Review) -> bool:
    """A verified account whose display name is the entity's."""
    shown = _all_forms((account.display_name,))
    is_verified = account.profile_facts.get("is_verified") is True
    return is_verified and not shown.isdisjoint(_all_forms((review.name_en, review.name_ko)))


def _shares_a_site(account: Account, verdict: Verdict) -> bool:
    """A source of the reply is on the site to which the profile links."""
    links = json_items(account.profile_facts.get("external_urls"))
    hosts = {_host(link) for link in links if isinstance(link, str)} - {None} - _ANYBODYS
    return not hosts.isdisjoint(_host(f"https://{title}") for title in verdict.sources if title)


def _host(address: str) -> str | None:
    parts = address_parts(address)
    host = (parts.hostname or "").removeprefix("www.") if parts is not None else ""
    return host or None


def _beside_the_name(handle: str, review: Review) -> str | None:
    """What a handle that spells one of the names holds beside it; None if it spells none."""
    letters = normalise_name(handle)
    names = (review.name_en, review.name_ko)
    forms = _all_forms(names) | {
        word.replace(" ", "") for name in names if name for word in romanised(name.split())
    }
    for form in sorted((form for form in forms if len(form) > 1), key=len, reverse=True):
        if form in letters:
            return letters.replace(form, "", 1)
    return None


def _is_owners(rest: str, claims: Iterable[str]) -> bool:
    """Whether what stands beside the name is what owners add, or is named in a sentence with a source (an agency)."""
    if _OWNERS_ONLY.fullmatch(rest):
        return True
    said = [normalise_name(claim) for claim in claims]
    return any(
        len(word) > 3 and any(word in claim for claim in said)
        for word in re.split(_OWNERS_SPLIT, rest)
        if word
    )


def _is_others(handle: str, rest: str | None) -> bool:
    """Whether a word that others add begins or ends what stands beside the name, or is a word of the handle."""
    if rest is not None:
        return re.search(f"^(?:{_OTHERS})|(?:{_OTHERS})$", rest) is not None
    return any(re.fullmatch(_OTHERS, word) for word in re.split(r"[._\d]+", handle))


def _all_forms(names: Iterable[str | None]) -> frozenset[str]:
    names = tuple(names)
    return normalised(names) | near_forms(names)
