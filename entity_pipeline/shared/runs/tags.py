"""Tags of runs, and names of pools. Both keep the runs of one domain apart from those of another."""

from datetime import timedelta

DOMAIN_TAG = "entity_pipeline/domain"
SHARED = "shared"
"""The tag's value for runs that belong to no domain, such as the roll-up of the Gemini ledger."""

LAUNCHED_BY_TAG = "entity_pipeline/launched_by"
"""Set on runs of the command. Dagster itself tags the runs of a schedule, a sensor and a backfill."""

_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def job_tags(domain: str, longest: timedelta) -> dict[str, str]:
    """Tags of a job, which all of its runs inherit: the domain's key, and how long a run may last.

    Dagster's daemon ends a run that lasts longer. Runs without a job of their own, such as those of a backfill in the
    UI, carry neither tag: `owners.py` finds their domain, and the limit in `dagster.yaml` ends them.
    """
    return {DOMAIN_TAG: domain, "dagster/max_runtime": str(int(longest.total_seconds()))}


def range_tags(first: str, last: str) -> dict[str, str]:
    """Tags that make a run cover the partitions from `first` to `last`, both included."""
    return {_RANGE_START: first, _RANGE_END: last}


def pool(domain: str, system: str) -> str:
    """The pool of a domain's steps that call an outside system, so that steps of other domains never wait for them."""
    return f"{domain}_{system}"
