"""Metrics of the Gemini ledger: the quota of the day, requests, cost and replies."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import OTHER, Asking, Described, MetricsPart, Samples, one
from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.resources.gemini.ledger_reading import RequestCount, requests_of_day

REQUEST_STATES = ("reserved", "sent", "settled", "failed", "unknown", "released")
_RECENT = timedelta(days=1)

FAMILIES: Mapping[str, Described] = {
    "quota_units": Described("Grounded units of the quota period by state.", ("state",)),
    "quota_cap_units": Described("The cap on these units."),
    "quota_reached": Described("Whether no further grounded request fits under the cap."),
    "quota_reset_timestamp_seconds": Described("When the cap is renewed."),
    "quota_info": Described("The configured model, and what a unit of its quota is.", ("model", "unit")),
    "gemini_blocked": Described("Whether Google refuses requests, so that none are sent."),
    "gemini_requests_today": Described(
        "Requests of the Pacific day, of all domains, by state in the ledger.", ("state", "grounded")
    ),
    "spend_today_usd": Described(
        "USD of the Pacific day by domain; open requests at most.", ("domain", "model")
    ),
    "spend_limit_usd": Described("USD that a Pacific day may cost."),
    "replies_24h": Described(
        "Replies to grounded requests in 24 hours, by whether Google searched.", ("searched",)
    ),
    "model_changed": Described("Whether a reply of the last 24 hours names a model that was not requested."),
}


def gemini_part(at: Installation) -> MetricsPart:
    """The ledger's part."""

    def read(asking: Asking) -> Mapping[str, Samples]:
        quota = asking.known(at.gemini.quota)
        requests = None
        if quota is not None:
            day = quota.quota_day
            requests = asking.known(lambda: requests_of_day(at.assets_db, day))
        replies = asking.known(lambda: at.gemini.recent_replies(datetime.now(UTC) - _RECENT))
        return {
            **(_of_quota(quota) if quota is not None else {}),
            **(_of_requests(requests, at.pipelines) if requests is not None else {}),
            **(_of_replies(replies) if replies is not None else {}),
        }

    return MetricsPart(name="gemini", families=FAMILIES, read=read)


def _of_quota(quota: QuotaStatus) -> dict[str, Samples]:
    units = (("used", quota.used), ("reserved", quota.reserved), ("remaining", quota.remaining))
    return {
        "quota_units": [((state,), count) for state, count in units],
        "quota_cap_units": one(quota.cap),
        "quota_reached": one(quota.cap_reached),
        "quota_reset_timestamp_seconds": one(quota.resets_at.timestamp()),
        "quota_info": [((quota.model, quota.unit), 1)],
        "gemini_blocked": one(quota.blocked_until is not None),
        "spend_limit_usd": one(float(quota.spend_limit_usd)),
    }


def _of_requests(requests: Iterable[RequestCount], pipelines: Mapping[str, str]) -> dict[str, Samples]:
    counted = Counter({(state, word): 0 for state in REQUEST_STATES for word in ("true", "false")})
    spent = {(key, model): 0.0 for key in pipelines.values() for model in MODELS}
    for row in requests:
        counted[row.state, str(row.grounded).lower()] += row.requests
        if row.state != "released":
            labels = (pipelines.get(row.pipeline, OTHER), row.model if row.model in MODELS else OTHER)
            spent[labels] = spent.get(labels, 0.0) + float(row.cost_usd)
    labelled: Sequence[tuple[Sequence[str], float]] = [(labels, count) for labels, count in counted.items()]
    return {
        "gemini_requests_today": labelled,
        "spend_today_usd": list(spent.items()),
    }


def _of_replies(replies: RecentReplies) -> dict[str, Samples]:
    searched = replies.grounded - replies.without_search
    return {
        "replies_24h": [(("true",), searched), (("false",), replies.without_search)],
        "model_changed": one(bool(replies.other_models)),
    }
