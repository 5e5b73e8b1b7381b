"""The jobs of the domain, one per kind of work, which automation and the command launch."""

from datetime import datetime, timedelta
from typing import Literal

import dagster as dg

from entity_pipeline.domains.entities import KEY
from entity_pipeline.shared.runs.domain_runs import DomainRuns
from entity_pipeline.shared.runs.tags import job_tags

INTAKE = ["tagged_usernames", "instagram_accounts"]
ENRICHMENT = ["instagram_profiles", "gemini_reviews"]
LINKING = ["catalog_links"]
RUNS = DomainRuns({"intake_job": INTAKE, "enrichment_job": ENRICHMENT, "linking_job": LINKING})

intake_job = dg.define_asset_job(
    "intake_job",
    selection=dg.AssetSelection.assets(*INTAKE),
    # The first load of a long history.
    tags=job_tags(KEY, longest=timedelta(hours=2)),
    description="Brings the accounts tagged on some days of posts into instagram_accounts.",
)
enrichment_job = dg.define_asset_job(
    "enrichment_job",
    selection=dg.AssetSelection.assets(*ENRICHMENT),
    # Its steps end their work after 10 and after 50 minutes, plus the time to wait for a database at both ends.
    tags=job_tags(KEY, longest=timedelta(minutes=90)),
    description="Fetches the profiles of a cohort and reviews its accounts, within a limit.",
)
linking_job = dg.define_asset_job(
    "linking_job",
    selection=dg.AssetSelection.assets(*LINKING),
    tags=job_tags(KEY, longest=timedelta(hours=2)),
    description="Decides what the reviews of a cohort mean for the catalog.",
)

enrichment_queue_job = dg.define_asset_job(
    "enrichment_queue_job",
    selection=dg.AssetSelection.assets("enrichment_queue"),
    tags=job_tags(KEY, longest=timedelta(hours=2)),
    description="Brings the list of accounts up to date, and compares it with all of them. Calls no outside system.",
)

jobs = [intake_job, enrichment_job, linking_job, enrichment_queue_job]


def enrichment_config(
    reviews: int,
    *,
    profiles: int | None = None,
    refresh: str = "none",
    since: datetime | None = None,
    dry_run: bool = False,
) -> dict[str, object]:
    """Run config of `enrichment_job`: the most reviews, and the most profiles (None: as many as reviews).

    `since` is when the refresh began that the run is a part of.
    """
    most_profiles = reviews if profiles is None else profiles
    review: dict[str, object] = {"limit": reviews, "refresh": refresh, "dry_run": dry_run}
    if since is not None:
        review["since"] = since.isoformat()
    return {
        "ops": {
            "instagram_profiles": {"config": {"limit": 0 if dry_run else most_profiles}},
            "gemini_reviews": {"config": review},
        }
    }


def linking_config(refresh: Literal["none", "held", "all"]) -> dict[str, object]:
    """Run config of `linking_job`: which accounts are decided again, beside those without a decision."""
    return {"ops": {"catalog_links": {"config": {"refresh": refresh}}}}


def enrichment_queue_config(*, compare: Literal["always", "when_due"]) -> dict[str, object]:
    """Run config of `enrichment_queue_job`: compare all accounts always, or only if a day has passed."""
    return {"ops": {"enrichment_queue": {"config": {"compare": compare}}}}
