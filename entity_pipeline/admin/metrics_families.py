"""Every metric of the pipeline: its name, what it means, its labels, and its value in a `Watched`. Pure.

Labels have few values, known beforehand; whatever else a row may hold counts as ``other``. No account is a label.
A figure that nobody can tell has no sample. Instants are seconds since 1970, so that a scraper's clock makes ages.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from entity_pipeline.admin.figures import QueueState
from entity_pipeline.admin.metrics_figures import LedgerFigures, QueueFigures, Reading, RunFigures, Watched
from entity_pipeline.core.gemini.access import Unanswered
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.domains.entities.jobs import jobs
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.reviews.logic.reply import UnparseableReason
from entity_pipeline.shared.runs.domain_runs import IN_FLIGHT

PREFIX = "entity_pipeline_"
OTHER = "other"
CLOSED_REASONS = (
    "no_settings_row",
    "no_shared_settings_row",
    "switch_is_empty",
    "switched_off",
    "shared_switched_off",
    "unreadable_settings",
)
REQUEST_STATES = ("reserved", "sent", "settled", "failed", "unknown", "released")
POOL_STATES = ("active", "cooling", "needs_session", "disabled")
ROUTE_STATES = ("active", "cooling", "disabled")
FAILED_REASONS = tuple(
    dict.fromkeys(
        [*map(str, UnparseableReason), "invalid_username", "other_model", "refused", *map(str, Unanswered)]
    )
)
JOBS = tuple(job.name for job in jobs)
PARTS = ("assets", "operation", "dagster")


@dataclass(frozen=True, slots=True)
class Described:
    """One family; `help` is what `/metrics` says of it."""

    help: str
    labels: tuple[str, ...] = ()


FAMILIES: Mapping[str, Described] = {
    "up": Described("Whether every figure of the part could be read.", ("part",)),
    "reading_duration_seconds": Described("What reading the part took, when it was last read.", ("part",)),
    "gate_open": Described("Whether the pipeline may work: switched on, and every setting readable."),
    "gate_closed": Described("Why it may not; 1 for the reason that holds.", ("reason",)),
    "quota_units": Described("Grounded units of the quota period by what became of them.", ("state",)),
    "quota_cap_units": Described("The cap on these units."),
    "quota_reached": Described("Whether no further grounded request fits under the cap."),
    "quota_reset_timestamp_seconds": Described("When the cap opens again."),
    "quota_info": Described("The configured model, and what a unit of its quota is.", ("model", "unit")),
    "gemini_blocked": Described("Whether Google refuses requests, so that none is sent."),
    "gemini_requests_today": Described(
        "Requests of the Pacific day, of all pipelines, by state in the ledger.", ("state", "grounded")
    ),
    "spend_today_usd": Described(
        "USD of the Pacific day, of all pipelines; open requests at most.", ("model",)
    ),
    "spend_limit_usd": Described("USD that a Pacific day may cost."),
    "replies_24h": Described(
        "Replies to grounded requests in 24 hours, by whether Google searched.", ("searched",)
    ),
    "model_changed": Described("Whether a reply of the last 24 hours names a model that nobody asked for."),
    "accounts": Described("Accounts by state; pending, deferred and undecided are the backlog.", ("state",)),
    "backlog_oldest_timestamp_seconds": Described(
        "When the account that waits longest for a review came in."
    ),
    "held_accounts": Described(
        "Accounts held for a person; one with two reasons counts in both.", ("reason",)
    ),
    "failed_accounts": Described("Accounts whose review failed.", ("reason",)),
    "profiles_waiting": Described("Accounts whose profile is to be looked at, by when.", ("when",)),
    "pictures_put_off": Described("Profiles found whose picture could not be stored yet; at most 10,000."),
    "instagram_pool_accounts": Described("The operator's Instagram accounts.", ("state",)),
    "instagram_routes": Described("Ways out to Instagram.", ("state",)),
    "runs_in_flight": Described("Runs that wait or work.", ("status",)),
    "job_failing": Described("Whether the job failed within 24 hours and did not succeed since.", ("job",)),
    "schedule_decision_timestamp_seconds": Described("When enrichment_schedule last decided, be it to wait."),
}

Samples = Iterable[tuple[Sequence[str], float]]


def families(watched: Watched) -> Iterator[Metric]:
    """Every family that has a sample, in the order of `FAMILIES`."""
    read: tuple[Reading[Any], ...] = (watched.ledger, watched.accounts, watched.runs)
    parts = dict(zip(PARTS, read, strict=True))
    samples: dict[str, Samples] = {
        "up": [((name,), part.is_up) for name, part in parts.items()],
        "reading_duration_seconds": [((name,), part.took_s) for name, part in parts.items()],
        **_of_ledger(watched.ledger.figures),
        **_of_accounts(watched.accounts.figures),
        **_of_runs(watched.runs.figures),
    }
    for name, described in FAMILIES.items():
        family = GaugeMetricFamily(f"{PREFIX}{name}", described.help, labels=described.labels)
        for values, value in samples.get(name, ()):
            family.add_metric(values, float(value))
        if family.samples:
            yield family


def _of_ledger(found: LedgerFigures) -> dict[str, Samples]:
    samples: dict[str, Samples] = {}
    if found.gate is not None:
        samples["gate_open"] = _one(found.gate == "open")
        samples["gate_closed"] = [((reason,), found.gate == reason) for reason in CLOSED_REASONS]
    if (quota := found.quota) is not None:
        units = (("used", quota.used), ("reserved", quota.reserved), ("remaining", quota.remaining))
        samples |= {
            "quota_units": [((state,), count) for state, count in units],
            "quota_cap_units": _one(quota.cap),
            "quota_reached": _one(quota.cap_reached),
            "quota_reset_timestamp_seconds": _one(quota.resets_at.timestamp()),
            "quota_info": [((quota.model, quota.unit), 1)],
            "gemini_blocked": _one(quota.blocked_until is not None),
            "spend_limit_usd": _one(float(quota.spend_limit_usd)),
        }
    if (requests := found.requests) is not None:
        counted = Counter({(state, word): 0 for state in REQUEST_STATES for word in ("true", "false")})
        spent = dict.fromkeys(MODELS, 0.0)
        for row in requests:
            counted[row.state, str(row.grounded).lower()] += row.requests
            if row.state != "released":
                model = row.model if row.model in MODELS else OTHER
                spent[model] = spent.get(model, 0.0) + float(row.cost_usd)
        samples["gemini_requests_today"] = list(counted.items())
        samples["spend_today_usd"] = [((model,), cost) for model, cost in spent.items()]
    if (replies := found.replies) is not None:
        searched = replies.grounded - replies.without_search
        samples["replies_24h"] = [(("true",), searched), (("false",), replies.without_search)]
        samples["model_changed"] = _one(bool(replies.other_models))
    if found.pool is not None:
        samples["instagram_pool_accounts"] = _by(POOL_STATES, found.pool)
    if found.routes is not None:
        samples["instagram_routes"] = _by(ROUTE_STATES, found.routes)
    return samples


def _of_accounts(found: QueueFigures) -> dict[str, Samples]:
    samples: dict[str, Samples] = {}
    if (states := found.states) is not None:
        samples["accounts"] = _by(tuple(QueueState), {row.state: row.accounts for row in states})
        waiting = [row.oldest for row in states if row.state in (QueueState.PENDING, QueueState.DEFERRED)]
        if waiting:
            samples["backlog_oldest_timestamp_seconds"] = _one(min(waiting).timestamp())
        due, later = sum(row.profiles_due for row in states), sum(row.profiles_later for row in states)
        samples["profiles_waiting"] = [(("now",), due), (("later",), later)]
    if (reasons := found.reasons) is not None:
        samples["held_accounts"] = _by(tuple(HoldReason), reasons.get(QueueState.HELD, {}))
        samples["failed_accounts"] = _by(FAILED_REASONS, reasons.get(QueueState.FAILED, {}))
    if found.pictures_put_off is not None:
        samples["pictures_put_off"] = _one(found.pictures_put_off)
    return samples


def _of_runs(found: RunFigures) -> dict[str, Samples]:
    samples: dict[str, Samples] = {}
    if found.in_flight is not None:
        samples["runs_in_flight"] = _by([status.value for status in IN_FLIGHT], found.in_flight)
    if found.failing is not None:
        others = bool(found.failing - set(JOBS))
        samples["job_failing"] = [*(((job,), job in found.failing) for job in JOBS), ((OTHER,), others)]
    if found.decided_at is not None:
        samples["schedule_decision_timestamp_seconds"] = _one(found.decided_at.timestamp())
    return samples


def _one(value: float) -> Samples:
    return [((), value)]


def _by(known: Sequence[str], counted: Mapping[str, int]) -> Samples:
    """Every known value, zeros included, so that a series begins before its first event; the rest as ``other``."""
    rest = sum(count for value, count in counted.items() if value not in set(known))
    samples = [((str(value),), float(counted.get(value, 0))) for value in known]
    return [*samples, ((OTHER,), float(rest))] if rest else samples
