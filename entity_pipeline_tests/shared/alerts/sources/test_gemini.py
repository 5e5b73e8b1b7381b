from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.gemini.ledger import replaced_reason
from entity_pipeline.core.gemini.models import DEFAULT_MODEL, MODELS
from entity_pipeline.core.gemini.quota import Budget, QuotaStatus
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import Open
from entity_pipeline.shared.alerts.sources.gemini import WHAT_TO_DO, model_alerts, quota_alerts, reply_alerts
from entity_pipeline_tests.fakes.gemini import FakeGemini
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.shared.alerts.looks import NOW, OneDomain, look

QUOTA = QuotaStatus(
    model=DEFAULT_MODEL,
    unit="prompt",
    quota_day=date(2026, 11, 20),
    used=0,
    reserved=0,
    cap=100,
    resets_at=datetime(2026, 11, 21, 8, tzinfo=UTC),
    spent_usd=Decimal(0),
    spend_limit_usd=Decimal(10),
    blocked_until=None,
)
SPENT_MONTH = Budget(Decimal(100), Decimal(100), datetime(2026, 12, 1, 8, tzinfo=UTC))


class GeminiWith(FakeGemini):
    """Answers with this quota."""

    def __init__(self, quota: QuotaStatus) -> None:
        super().__init__()
        self._quota = quota

    def quota(self, step: Step | None = None) -> QuotaStatus:
        return self._quota


def quota_kinds(limits: NotifySettings | None = None, **changed: object) -> list[str]:
    gemini = GeminiWith(replace(QUOTA, **changed))  # type: ignore[arg-type]
    return [alert.key for alert in quota_alerts(look(gemini=gemini, limits=limits or NotifySettings()))]


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        ({}, []),
        ({"used": 80, "reserved": 9}, []),
        ({"used": 80, "reserved": 10}, ["gemini/cap_near:2026-11-20"]),
        ({"used": 100}, ["gemini/cap_reached:2026-11-20"]),
        ({"used": 93, "units_per_request": 8}, ["gemini/cap_reached:2026-11-20"]),
        ({"cap": 0}, ["gemini/cap_reached:2026-11-20"]),
        ({"spent_usd": Decimal(10)}, ["gemini/spend_reached:2026-11-20"]),
        ({"budgets": (SPENT_MONTH,)}, ["gemini/month_spent:2026-11"]),
        ({"budgets": (replace(SPENT_MONTH, spent_usd=Decimal(99)),)}, []),
        ({"budgets": (replace(SPENT_MONTH, domain="entities"),)}, []),
        (
            {"held": replaced_reason("gemini-2.5-flash", "gemini-9"), "answered_by": "gemini-9"},
            ["gemini/model_changed:gemini-9"],
        ),
        ({"blocked_until": NOW + timedelta(minutes=1)}, ["gemini/blocked_by_google"]),
        ({"blocked_until": NOW}, []),
    ],
    ids=[
        "all is well",
        "just below near",
        "near, reservations counted",
        "reached is not near as well",
        "a request no longer fits",
        "a cap of nothing",
        "the money is spent",
        "the month's money is spent",
        "a cent of the month is left",
        "the share of one domain is planned",
        "another model closed the gate",
        "the breaker is open",
        "the breaker is over",
    ],
)
def test_each_state_of_the_quota_has_its_alerts(changed: dict[str, object], keys: list[str]) -> None:
    assert quota_kinds(**changed) == keys


def reply_kinds(replies: RecentReplies, limits: NotifySettings | None = None) -> list[str]:
    gemini = FakeGemini(replies=replies)
    return [alert.key for alert in reply_alerts(look(gemini=gemini, limits=limits or NotifySettings()))]


@pytest.mark.parametrize(
    ("replies", "keys"),
    [
        (RecentReplies(1, 0, ("gemini-9",)), ["gemini/model_changed:gemini-9"]),
        (RecentReplies(19, 19, ()), []),
        (RecentReplies(20, 4, ()), []),
        (RecentReplies(20, 5, ()), ["gemini/few_grounded"]),
    ],
    ids=["another model", "too few replies to judge", "a fifth without a search", "more than a fifth"],
)
def test_each_state_of_the_replies_has_its_alerts(replies: RecentReplies, keys: list[str]) -> None:
    assert reply_kinds(replies) == keys


def test_a_model_that_is_accepted_raises_no_alert() -> None:
    accepting = FakeSettings(Open(OneDomain()), shared=(GeminiSettings(accept_models=["gemini-9"]),))
    gemini = FakeGemini(replies=RecentReplies(1, 0, ("gemini-9", "gemini-8")))
    alerts = reply_alerts(look(gemini=gemini, settings=accepting))
    assert [alert.key for alert in alerts] == ["gemini/model_changed:gemini-8"]


def test_a_person_moves_the_limits() -> None:
    limits = NotifySettings(cap_near_share=0.1, ungrounded_share=0.01)
    assert quota_kinds(limits, used=10) == ["gemini/cap_near:2026-11-20"]
    assert reply_kinds(RecentReplies(50, 1, ()), limits) == ["gemini/few_grounded"]


@pytest.mark.parametrize(
    ("days_before", "kinds"),
    [(31, []), (30, ["model_retires"]), (1, ["model_retires"]), (0, ["model_retired"])],
)
def test_the_end_of_the_model_is_announced_from_thirty_days_before(
    days_before: int, kinds: list[str]
) -> None:
    model = next(model for model in MODELS.values() if model.retires_on)
    assert model.retires_on
    day = datetime.combine(model.retires_on, datetime.min.time(), UTC) - timedelta(days=days_before)
    alerts = list(model_alerts(look(gemini=FakeGemini(model=model.name), now=day)))
    assert [alert.kind for alert in alerts] == kinds
    assert all("GEMINI_MODEL=" in alert.says for alert in alerts)


def test_a_model_whose_successor_is_accepted_raises_no_alert() -> None:
    model = next(model for model in MODELS.values() if model.retires_on)
    assert model.retires_on
    day = datetime.combine(model.retires_on, datetime.min.time(), UTC)
    for accepted, many in ((f"{model.successor}", 0), ("gemini-9", 1)):
        accepting = FakeSettings(Open(OneDomain()), shared=(GeminiSettings(accept_models=[accepted]),))
        found = look(gemini=FakeGemini(model=model.name), now=day, settings=accepting)
        assert len(list(model_alerts(found))) == many


def test_what_to_do_about_a_replaced_model_names_both_ways() -> None:
    says = WHAT_TO_DO["model_changed"]
    assert """`entity-pipeline settings set gemini 'accept_models=["NAME"]'`""" in says
    assert "GEMINI_MODEL" in says


def test_a_model_without_an_end_or_out_of_the_registry_raises_no_alert() -> None:
    for name in (DEFAULT_MODEL, "made-up"):
        assert list(model_alerts(look(gemini=FakeGemini(model=name)))) == []


def test_every_alert_can_become_true_and_says_what_to_do() -> None:
    seen = {
        *quota_kinds(
            used=100, spent_usd=Decimal(10), blocked_until=NOW + timedelta(1), budgets=(SPENT_MONTH,)
        ),
        *quota_kinds(used=95),
        *reply_kinds(RecentReplies(20, 20, ("gemini-9",))),
    }
    kinds = {key.partition("/")[2].partition(":")[0] for key in seen}
    assert kinds | {"model_retires", "model_retired"} == set(WHAT_TO_DO)
