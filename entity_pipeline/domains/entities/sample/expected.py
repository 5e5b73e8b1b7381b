"""The expected results for each account of the sample, once nothing is pending.

A hold has the reasons (stored form) of which at least one must be among those recorded. `certain` is False where the
outcome depends on other conditions: which of two namesakes comes first, or whether profiles are fetched at all.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from entity_pipeline.domains.entities.sample.truth import Truth, load_truth

_CATALOG_TYPES = frozenset({"artist", "brand", "group"})
_FAILED_REVIEWS = frozenset({"broken_for_good", "safety", "prompt_blocked", "max_tokens"})
_HELD_BY_ANSWER: Mapping[str, frozenset[str]] = {
    "unsure": frozenset({"below_threshold"}),
    "ungrounded": frozenset({"ungrounded"}),
    "queries_only": frozenset({"ungrounded", "no_chunks"}),
    "no_supports": frozenset({"no_support"}),
    "stray_support": frozenset({"no_support"}),
}
_HELD_BY_CATALOG: Mapping[str, frozenset[str]] = {
    "legacyfluencer.madeup": frozenset({"account_type_differs"}),
    "nordvane.madeup": frozenset({"entity_has_other_primary"}),
    "kestrelmoth.madeup": frozenset({"several_matches"}),
    "solpaca.madeup": frozenset({"name_conflict"}),
    "duneweave.madeup": frozenset({"country_is_namibia"}),
    "driftcode.madeup": frozenset({"country_is_namibia"}),
}
_LINKED = frozenset(
    {
        "alexandermcqueen",
        "maisonmargiela",
        "ostrelle.madeup",
        "neonhaze.madeup",
        "riomarlow.madeup",
        "verdemarro.madeup",
        "nordvane.archive.madeup",
    }
)
_NAMESAKES = frozenset({"miso_mmss", "tahiti_ms"})
_LINKED_BY_PEOPLE = frozenset({"verdemarro.madeup", "nordvane.archive.madeup"})


class ExpectedDecision(StrEnum):
    """The status of `catalog_link`; NONE where there is no review (no link, or a hold for that reason)."""

    CREATED = "created"
    LINKED = "linked"
    ATTACHED = "attached"
    EXCLUDED = "excluded"
    HELD = "held"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected result of one account. `review` is ``reviewed`` or ``failed``."""

    username: str
    review: str
    decision: ExpectedDecision
    reasons: frozenset[str] = frozenset()
    certain: bool = True


@cache
def expected_accounts() -> Mapping[str, Expected]:
    """Every account of the sample by handle, whether tagged or in the earlier catalog."""
    truth = load_truth()
    primaries = {name: _primary(account) for name, account in truth.items() if account.role == "primary"}
    return {
        name: primaries[name] if name in primaries else _dependent(account, primaries)
        for name, account in truth.items()
    }


def expected_counts(usernames: Iterable[str]) -> Mapping[str, Counter[str]]:
    """``{"review": ..., "decision": ..., "uncertain": ...}`` over some accounts."""
    accounts = [expected_accounts()[name] for name in usernames]
    return {
        "review": Counter(account.review for account in accounts),
        "decision": Counter(str(account.decision) for account in accounts if account.certain),
        "uncertain": Counter(str(account.decision) for account in accounts if not account.certain),
    }


def _primary(account: Truth) -> Expected:
    name = account.username
    if account.gemini in _FAILED_REVIEWS:
        return Expected(name, "failed", ExpectedDecision.NONE)
    held = _HELD_BY_ANSWER.get(account.gemini) or _HELD_BY_CATALOG.get(name)
    if held:
        return Expected(name, "reviewed", ExpectedDecision.HELD, held)
    if account.type not in _CATALOG_TYPES:
        return Expected(name, "reviewed", ExpectedDecision.EXCLUDED)
    decision = ExpectedDecision.LINKED if name in _LINKED else ExpectedDecision.CREATED
    certain = name not in _NAMESAKES | _LINKED_BY_PEOPLE and account.instagram != "reassigned"
    return Expected(name, "reviewed", decision, certain=certain)


def _dependent(account: Truth, primaries: Mapping[str, Expected]) -> Expected:
    if account.type not in _CATALOG_TYPES:
        return Expected(account.username, "reviewed", ExpectedDecision.EXCLUDED)
    primary = primaries.get(account.primary_username or "")
    if primary and primary.decision in (ExpectedDecision.CREATED, ExpectedDecision.LINKED):
        return Expected(account.username, "reviewed", ExpectedDecision.ATTACHED)
    reasons = frozenset({"primary_unknown", "primary_not_linked"})
    return Expected(account.username, "reviewed", ExpectedDecision.HELD, reasons)
