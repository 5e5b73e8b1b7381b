"""The project's own rules, applied to the stand-in's real answers, conclude what the sample expects."""

from collections.abc import Iterator
from uuid import UUID, uuid5

import pytest

from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.core.gemini.request import Request, Text, Tool
from entity_pipeline.domains.entities.evaluation.logic.judging import verdict_of
from entity_pipeline.domains.entities.language.same_name import normalised
from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.logic.decisions import (
    Attach,
    Candidates,
    Create,
    Exclude,
    Hold,
    Link,
    PrimaryAccount,
)
from entity_pipeline.domains.entities.models import TABLE_OF_TYPE, Account, Entity, EntityTable, Verdict
from entity_pipeline.domains.entities.reviews.logic.calibration import calibrate
from entity_pipeline.domains.entities.reviews.logic.grounding import assess_grounding
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply, parse_reply
from entity_pipeline.domains.entities.reviews.prompts import repair_prompt, review_prompt
from entity_pipeline.domains.entities.sample.catalog import NAMESPACE, existing_accounts, existing_entities
from entity_pipeline.domains.entities.sample.expected import (
    Expected,
    ExpectedDecision,
    expected_accounts,
    expected_counts,
)
from entity_pipeline.domains.entities.sample.tags import first_days
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini.client import Body, GeminiClient
from entity_pipeline_tests.standins import GeminiStandin

SETTINGS = EntitySettings()
MODEL = "gemini-2.5-flash"


@pytest.fixture(scope="module")
def gemini() -> Iterator[GeminiClient]:
    with GeminiStandin(latency_ms=0) as standin:
        client = GeminiClient("any", standin.url)
        yield client
        client.close()


def _verdict(gemini: GeminiClient, username: str) -> Verdict | None:
    """As the review step does it: three tries against overload, one repair call."""
    facts, mark = {"username": username}, "0" * 32
    asked = review_prompt(facts, mark)
    tools = (Tool.GOOGLE_SEARCH,)
    request = Request(model=MODEL, system=asked.system, parts=(Text(asked.text),), tools=tools)
    replies = (gemini.send(request) for _ in range(3))
    body = next(reply.body for reply in replies if isinstance(reply, Body))
    parsed = parse_reply(read_body(body), handle=username)
    if not isinstance(parsed, ParsedReply) and parsed.worth_repair:
        text = body["candidates"][0]["content"]["parts"][0]["text"]
        asked = repair_prompt(facts, text, mark)
        repaired = gemini.send(Request(model=MODEL, system=asked.system, parts=(Text(asked.text),)))
        assert isinstance(repaired, Body)
        parsed = parse_reply(read_body(repaired.body), handle=username)
    if not isinstance(parsed, ParsedReply):
        return None
    review = parsed.review
    names = (review.name_en, review.name_ko)
    kind = review.account_type
    grounding = assess_grounding(read_body(body), handle=username, names=names, account_type=kind)
    return verdict_of(review, grounding, calibrate(review, grounding, SETTINGS).confidence)


class _Catalog:
    """The sample's catalog in memory, growing as accounts are decided."""

    def __init__(self) -> None:
        self.types_by_people = {
            account.username: account.values["account_type"]
            for account in existing_accounts()
            if account.brand is None and "account_type" in account.values
        }
        linked = {account.brand.id: account for account in existing_accounts() if account.brand}
        self.entities = {
            entity.id: Entity(
                EntityTable(entity.table),
                entity.id,
                entity.name_en,
                entity.name_ko,
                _account_id(linked[entity.id].username.lower()) if entity.id in linked else None,
            )
            for entity in existing_entities()
        }

    def decide(self, username: str, verdict: Verdict) -> ExpectedDecision:
        account = Account(
            _account_id(username), username, username, account_type=self.types_by_people.get(username)
        )
        review = verdict.review
        names = normalised((review.name_en, review.name_ko))
        table = TABLE_OF_TYPE.get(review.account_type)
        candidates = Candidates(
            linked=self._led_by(account.id),
            matches=tuple(
                entity
                for entity in self.entities.values()
                if entity.table == table and names & normalised((entity.name_en, entity.name_ko))
            ),
            primary=PrimaryAccount(
                _account_id(review.primary_username), self._led_by(_account_id(review.primary_username))
            )
            if review.primary_username
            else None,
        )
        decision = decide(account, verdict, candidates, SETTINGS)
        match decision:
            case Create():
                made = uuid5(NAMESPACE, f"made {username}")
                wish = decision.entity
                self.entities[made] = Entity(decision.table, made, wish.name_en, wish.name_ko, account.id)
                return ExpectedDecision.CREATED
            case Link():
                old = self.entities[decision.entity_id]
                self.entities[old.id] = Entity(old.table, old.id, old.name_en, old.name_ko, account.id)
                return ExpectedDecision.LINKED
            case Attach():
                return ExpectedDecision.ATTACHED
            case Exclude():
                return ExpectedDecision.EXCLUDED
            case Hold():
                self.reasons = frozenset(map(str, decision.reasons))
                return ExpectedDecision.HELD

    def _led_by(self, account_id: UUID) -> tuple[Entity, ...]:
        return tuple(entity for entity in self.entities.values() if entity.primary_account_id == account_id)


def _account_id(username: str) -> UUID:
    return uuid5(NAMESPACE, f"test account {username}")


def test_the_rules_conclude_what_is_expected_for_every_account(gemini: GeminiClient) -> None:
    catalog = _Catalog()
    truth = load_truth()
    # Once nothing is pending, the order no longer matters; primaries first gets there in one pass.
    order = sorted(
        expected_accounts().values(), key=lambda item: truth[item.username].role not in ("primary", "unknown")
    )
    wrong = [problem for expected in order if (problem := _difference(catalog, gemini, expected))]
    assert wrong == []


def _difference(catalog: _Catalog, gemini: GeminiClient, expected: Expected) -> str | None:
    verdict = _verdict(gemini, expected.username)
    if verdict is None:
        return None if expected.review == "failed" else f"{expected.username}: no review"
    decision = catalog.decide(expected.username, verdict)
    if expected.review == "failed":
        return f"{expected.username}: reviewed"
    if not expected.certain:
        return None
    if decision is not expected.decision:
        return f"{expected.username}: {decision}, not {expected.decision}"
    if decision is ExpectedDecision.HELD and not catalog.reasons & expected.reasons:
        return f"{expected.username}: held for {sorted(catalog.reasons)}, not {sorted(expected.reasons)}"
    return None


def test_the_sample_shows_every_decision_and_fails_some_reviews() -> None:
    counts = expected_counts(first_days())
    assert set(counts["decision"]) == {"created", "linked", "attached", "excluded", "held", "none"}
    assert counts["review"]["failed"] == 4
    assert counts["review"].total() == len(first_days())
    assert counts["uncertain"].total() <= 4


def test_held_accounts_say_why() -> None:
    assert [
        item
        for item in expected_accounts().values()
        if item.decision is ExpectedDecision.HELD and not item.reasons
    ] == []
