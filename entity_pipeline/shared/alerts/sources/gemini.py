"""Alerts about Gemini: the quota day and its spend, the kind of replies, and the life of the configured model."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from entity_pipeline.core.alerts import Alert, Look
from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.gemini.models import answering_model, find_model, retirement_notice
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.shared.reporting.metadata import units_in_words

FEWEST_REPLIES = 20
_LOOKED_AT = timedelta(days=1)

WHAT_TO_DO: Mapping[str, str] = {
    "cap_near": "Nothing, unless other work needs the quota today: then lower accounts_per_tick or raise the cap.",
    "cap_reached": "Wait for the reset, or raise daily_grounding_cap if the Google project allows more.",
    "spend_reached": "Look at the cost by model on the quota page. Wait until tomorrow, or raise daily_spend_usd.",
    "month_spent": "Wait for the next Pacific month, or raise monthly_spend_usd.",
    "blocked_by_google": (
        "Wait: requests continue when the block ends. If it happens again, compare the Google project's quota with "
        "daily_grounding_cap."
    ),
    "model_changed": (
        "Compare prices and quota. To use the other model's replies: `entity-pipeline settings set gemini "
        """'accept_models=["NAME"]'`. To leave them unused: set GEMINI_MODEL to another model of the registry, and """
        "restart the webserver and the daemon."
    ),
    "few_grounded": "Read some of these reviews. None of them is published without a search, but each was paid for.",
    "model_retires": "Set GEMINI_MODEL as the message says, and restart the webserver and the daemon.",
    "model_retired": "Set GEMINI_MODEL as the message says, and restart the webserver and the daemon.",
}


def quota_alerts(look: Look) -> Iterator[Alert]:
    """The cap, the spend and Google's own block. The cap and the spend have a separate alert for each period."""
    quota = look.gemini.quota()
    taken, day, month = quota.used + quota.reserved, quota.quota_day, f"{quota.quota_day:%Y-%m}"
    figures = f"{taken:,} of {quota.cap:,} {units_in_words(quota.unit)} of the Pacific day {day} are used"
    if quota.is_replaced:
        yield _alert("model_changed", str(quota.held), f"{quota.answered_by}")
    if quota.cap_reached:
        says = f"The cap is reached: {figures}. It resets at {minute_in_words(quota.resets_at)}."
        yield _alert("cap_reached", says, f"{day}")
    elif taken >= quota.cap * look.limits.cap_near_share:
        yield _alert("cap_near", f"The cap is nearly reached: {figures}.", f"{day}")
    if quota.spent_usd >= quota.spend_limit_usd:
        says = f"{quota.spent_usd:.2f} of {quota.spend_limit_usd:.2f} USD of the Pacific day {day} are spent."
        yield _alert("spend_reached", says, f"{day}")
    for budget in quota.budgets:
        if budget.domain is None and budget.is_spent:
            yield _alert("month_spent", str(budget.reason(day)), month)
    if quota.blocked_until is not None and quota.blocked_until > look.now:
        says = f"Google refuses requests, so none are sent before {minute_in_words(quota.blocked_until)}."
        yield _alert("blocked_by_google", says)


def reply_alerts(look: Look) -> Iterator[Alert]:
    """Replies of the last day from a model that is not accepted, or without the search that was paid for."""
    replies = look.gemini.recent_replies(look.now - _LOOKED_AT)
    accepted = look.settings.readable(GeminiSettings).accept_models
    for version in replies.other_models:
        model = answering_model(look.gemini.model, version) or version
        if model not in accepted:
            says = f"Gemini answered as {model[:60]} in place of the configured model."
            yield _alert("model_changed", says, model)
    most = replies.grounded * look.limits.ungrounded_share
    if replies.grounded >= FEWEST_REPLIES and replies.without_search > most:
        says = f"{replies.without_search} of the last day's {replies.grounded} replies came without a search."
        yield _alert("few_grounded", says)


def model_alerts(look: Look) -> Iterator[Alert]:
    """The configured model retires within 30 days, or has retired, and its successor is not accepted."""
    accepted = look.settings.readable(GeminiSettings).accept_models
    model = find_model(look.gemini.model)
    notice = None if model is None else retirement_notice(model, look.now.date(), accepted)
    if notice is not None:
        kind = "model_retired" if notice.is_over else "model_retires"
        yield _alert(kind, str(notice.reason), notice.model.name)


def _alert(kind: str, says: str, subject: str = "") -> Alert:
    return Alert(f"gemini/{kind}:{subject}" if subject else f"gemini/{kind}", says, WHAT_TO_DO[kind])
