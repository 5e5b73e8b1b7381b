"""The two ties that a review must prove, and the tie of a follower to the entity that it joins."""

from dataclasses import replace
from typing import Any

import pytest

from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.logic.decisions import (
    Attach,
    Candidates,
    Create,
    Decision,
    Hold,
    Link,
    PrimaryAccount,
)
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import (
    AccountRole,
    AccountType,
    EntityTable,
    HandleTie,
    Verdict,
)
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.cases import a_review, a_verdict, an_account, an_entity, some_id

SETTINGS = EntitySettings()
NOTHING = Candidates()


def reasons(decision: Decision) -> set[str]:
    """The reasons of a hold; none of another decision."""
    return set(decision.reasons) if isinstance(decision, Hold) else set()


def proven(claim: str, *, handle_tie: HandleTie | None = None, **review: Any) -> Verdict:
    return a_verdict(a_review(**review), claims=(claim,), handle_tie=handle_tie)


@pytest.mark.parametrize(
    ("handle", "tie", "expected"),
    [
        ("madeupseoul", None, set()),
        ("madeup_seoul.official", None, set()),
        ("madeup.seoul.kr", None, set()),
        ("another.name", HandleTie.STATED, set()),
        ("another.name", HandleTie.SUPPORTED, set()),
        ("another.name", None, {HoldReason.ACCOUNT_UNPROVEN}),
        ("madeupseoul.archive", None, {HoldReason.ACCOUNT_UNPROVEN}),
        ("madeupseoul_daily", HandleTie.STATED, {HoldReason.ACCOUNT_UNPROVEN}),
        ("fan.madeup.seoul", HandleTie.STATED, {HoldReason.ACCOUNT_UNPROVEN}),
        ("madeupseoul_daily", HandleTie.SUPPORTED, set()),
        ("madeupseoul", HandleTie.DISOWNED, {HoldReason.NOT_OFFICIAL}),
    ],
)
def test_an_account_needs_a_tie_to_its_entity(
    handle: str, tie: HandleTie | None, expected: set[HoldReason]
) -> None:
    decision = decide(
        an_account(handle=handle),
        proven("Madeup Seoul is a clothing brand.", handle_tie=tie),
        NOTHING,
        SETTINGS,
    )
    assert reasons(decision) == expected


@pytest.mark.parametrize(
    ("facts", "display_name", "is_tied"),
    [
        ({"is_verified": True}, "MADEUP SEOUL", True),
        ({"is_verified": False}, "MADEUP SEOUL", False),
        ({"is_verified": True}, "Somebody", False),
        ({"external_urls": ["https://www.madeup.example/shop"]}, None, True),
        ({"external_urls": ["https://wikipedia.org/x"]}, None, False),
    ],
)
def test_a_profile_can_tie_an_account_to_its_entity(
    facts: dict[str, Any], display_name: str | None, is_tied: bool
) -> None:
    account = an_account(
        handle="another.name", display_name=display_name, enrichment={"profile_backfill": {"facts": facts}}
    )
    verdict = replace(
        proven("Madeup Seoul is a clothing brand."), sources=("madeup.example", "wikipedia.org")
    )
    assert isinstance(decide(account, verdict, NOTHING, SETTINGS), Create) is is_tied


def test_a_link_by_a_person_ties_an_account_to_its_entity() -> None:
    entity = an_entity()
    account = an_account(handle="another.name", links={EntityTable.BRANDS: entity.id})
    verdict = proven("Madeup Seoul is a clothing brand.")
    assert isinstance(decide(account, verdict, Candidates(linked=(entity,)), SETTINGS), Link)


@pytest.mark.parametrize(
    ("account_type", "claim", "expected"),
    [
        (AccountType.BRAND, "@madeup.seoul is a clothing brand.", set()),
        (AccountType.BRAND, "@madeup.seoul opened a shop for sneakers in 2016.", set()),
        (AccountType.BRAND, "@madeup.seoul was founded in 2016.", {HoldReason.CLAIM_UNPROVEN}),
        (AccountType.BRAND, "@madeup.seoul is a fashion magazine.", {HoldReason.FIELD_DIFFERS}),
        (AccountType.ARTIST, "@madeup.seoul is a South Korean actor.", set()),
        (AccountType.ARTIST, "@madeup.seoul is a clothing brand.", {HoldReason.FIELD_DIFFERS}),
        (AccountType.ARTIST, "@madeup.seoul is a member of the girl group Made.", set()),
        (AccountType.GROUP, "@madeup.seoul is a boy band.", set()),
        (AccountType.GROUP, "@madeup.seoul released a song.", {HoldReason.CLAIM_UNPROVEN}),
    ],
)
def test_a_claim_needs_a_sentence_with_a_source(
    account_type: AccountType, claim: str, expected: set[HoldReason]
) -> None:
    decision = decide(an_account(), proven(claim, account_type=account_type), NOTHING, SETTINGS)
    assert reasons(decision) == expected


@pytest.mark.parametrize(
    ("name_en", "claim", "is_attached"),
    [
        ("Madeup Seoul", "@madeup.seoul is a clothing brand.", True),
        ("KUHO", "@madeup.seoul is a clothing brand.", False),
        ("KUHO", "@madeup.seoul is the clothing line of Madeup Seoul.", True),
    ],
)
def test_a_follower_joins_an_entity_that_it_can_be_tied_to(
    name_en: str, claim: str, is_attached: bool
) -> None:
    home = an_entity(primary_account_id=some_id("primary"))
    candidates = Candidates(primary=PrimaryAccount(some_id("primary"), (home,)))
    verdict = proven(
        claim, name_en=name_en, name_ko=None, account_role=AccountRole.SECONDARY, primary_username="primary"
    )
    decision = decide(an_account(), verdict, candidates, SETTINGS)
    if is_attached:
        assert isinstance(decision, Attach)
    else:
        assert reasons(decision) == {HoldReason.ATTACH_UNPROVEN}
