"""What a held account's reasons are about: the entities, accounts and values that a person compares."""

from typing import Any
from uuid import UUID

import pytest

from entity_pipeline.domains.entities.links.logic.decisions import Candidates, PrimaryAccount
from entity_pipeline.domains.entities.links.logic.hold_facts import hold_facts
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import AccountRole, AccountType, Entity, EntityTable, Verdict
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.cases import a_review, a_verdict, an_account, some_id

THEIRS, OURS = some_id("someone else"), some_id("account")
ADER = Entity(
    EntityTable.BRANDS, UUID(int=11), "ADER ERROR", "아더에러", THEIRS, primary_username="adererror"
)
TWIN = Entity(EntityTable.BRANDS, UUID(int=12), "Ader Error", None, None)
SHOWN = {"kind": "entity", "text": "ADER ERROR / 아더에러", "table": "brands", "id": str(ADER.id)}
PRIMARY = {"kind": "primary", "text": "adererror"}
TWIN_SHOWN = {"kind": "entity", "text": "Ader Error", "table": "brands", "id": str(TWIN.id)}


def facts(
    reason: HoldReason, candidates: Candidates | None = None, verdict: Verdict | None = None, **columns: Any
) -> list[dict[str, str]]:
    found = hold_facts(
        (reason, HoldReason.UNGROUNDED),
        an_account(**columns),
        verdict or a_verdict(),
        candidates or Candidates(),
        EntitySettings(),
    )
    assert HoldReason.UNGROUNDED not in found
    return [fact.to_json() for fact in found.get(reason, ())]


@pytest.mark.parametrize(
    ("reason", "candidates", "expected"),
    [
        (HoldReason.SEVERAL_MATCHES, Candidates(matches=(ADER, TWIN)), [SHOWN, PRIMARY, TWIN_SHOWN]),
        (
            HoldReason.SEVERAL_MATCHES,
            Candidates(matches=(TWIN,), primary=PrimaryAccount(THEIRS, (ADER, TWIN))),
            [SHOWN, PRIMARY, TWIN_SHOWN],
        ),
        (HoldReason.ENTITY_HAS_OTHER_PRIMARY, Candidates(matches=(ADER, TWIN)), [SHOWN, PRIMARY]),
        (HoldReason.ENTITY_HAS_OTHER_PRIMARY, Candidates(linked=(ADER,), matches=(TWIN,)), [SHOWN, PRIMARY]),
        (HoldReason.NAME_CONFLICT, Candidates(matches=(TWIN,)), [TWIN_SHOWN]),
        (HoldReason.ONE_NAME_ONLY, Candidates(matches=(TWIN,)), [TWIN_SHOWN]),
        (HoldReason.NEAR_NAME, Candidates(near=(TWIN,), matches=(ADER,)), [TWIN_SHOWN]),
        (HoldReason.NAME_IN_OTHER_TABLE, Candidates(elsewhere=(TWIN,)), [TWIN_SHOWN]),
        (HoldReason.LINKED_TO_OTHER_TYPE, Candidates(linked=(TWIN,)), [TWIN_SHOWN]),
        (HoldReason.ACCOUNT_HAS_OTHER_ENTITY, Candidates(linked=(TWIN,)), [TWIN_SHOWN]),
        (HoldReason.ATTACH_UNPROVEN, Candidates(primary=PrimaryAccount(THEIRS, (TWIN,))), [TWIN_SHOWN]),
        (HoldReason.PRIMARY_TYPE_DIFFERS, Candidates(primary=PrimaryAccount(THEIRS, (TWIN,))), [TWIN_SHOWN]),
        (HoldReason.NEAR_NAME, Candidates(near=(TWIN,) * 9), [TWIN_SHOWN] * 5),
        (HoldReason.NEAR_NAME, Candidates(), []),
    ],
)
def test_a_reason_names_the_entities_it_is_about(
    reason: HoldReason, candidates: Candidates, expected: list[dict[str, str]]
) -> None:
    assert facts(reason, candidates) == expected


def test_the_accounts_own_entity_has_no_other_primary() -> None:
    own = Entity(EntityTable.BRANDS, UUID(int=13), "Own", None, OURS, primary_username="own")
    assert facts(HoldReason.ENTITY_HAS_OTHER_PRIMARY, Candidates(matches=(own,))) == []


@pytest.mark.parametrize(
    ("reason", "review", "columns", "expected"),
    [
        (HoldReason.BELOW_THRESHOLD, {}, {}, [("confidence", "0.83"), ("threshold", "0.85")]),
        (
            HoldReason.BELOW_THRESHOLD,
            {"account_type": AccountType.ARTIST},
            {},
            [("confidence", "0.83"), ("threshold", "0.90")],
        ),
        (
            HoldReason.ACCOUNT_TYPE_DIFFERS,
            {},
            {"account_type": "influencer"},
            [("stored", "influencer"), ("reviewed", "brand")],
        ),
        (
            HoldReason.ACCOUNT_ROLE_DIFFERS,
            {"account_role": AccountRole.PRIMARY},
            {"entity_ig_role": "regional"},
            [("stored", "regional"), ("reviewed", "primary")],
        ),
        (HoldReason.PRIMARY_NOT_LINKED, {"primary_username": "acme"}, {}, [("account", "acme")]),
        (HoldReason.DUPLICATE_USERNAME, {}, {}, [("account", "madeup.seoul")]),
    ],
)
def test_a_reason_names_the_values_it_is_about(
    reason: HoldReason, review: dict[str, Any], columns: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    verdict = a_verdict(a_review(**review), confidence=0.83)
    found = facts(reason, verdict=verdict, **columns)
    assert [(item["kind"], item["text"]) for item in found] == expected


def test_without_a_review_a_hold_has_no_facts() -> None:
    found = hold_facts([HoldReason.NOT_REVIEWED], an_account(), None, Candidates(), EntitySettings())
    assert found == {}
