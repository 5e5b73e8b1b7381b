"""The three jobs that automation and the command line launch, one a kind of work, and the roll-up."""

import dagster as dg

INTAKE = ["tagged_usernames", "instagram_accounts"]
ENRICHMENT = ["instagram_profiles", "gemini_reviews"]
LINKING = ["catalog_links"]

intake_job = dg.define_asset_job(
    "intake_job",
    selection=dg.AssetSelection.assets(*INTAKE),
    description="Brings the tagged accounts of some days of posts into instagram_accounts.",
)
enrichment_job = dg.define_asset_job(
    "enrichment_job",
    selection=dg.AssetSelection.assets(*ENRICHMENT),
    description="Looks at the profiles of a cohort and reviews its accounts, within a limit.",
)
linking_job = dg.define_asset_job(
    "linking_job",
    selection=dg.AssetSelection.assets(*LINKING),
    description="Decides what the reviews of a cohort mean for the catalog.",
)
spend_job = dg.define_asset_job(
    "spend_job",
    selection=dg.AssetSelection.assets("gemini_spend_daily", "gemini_quota"),
    description="Rolls the Gemini ledger up by quota day, and shows today's quota. Asks nobody outside.",
)

jobs = [intake_job, enrichment_job, linking_job, spend_job]
ASSETS_OF_JOB = {"intake_job": INTAKE, "enrichment_job": ENRICHMENT, "linking_job": LINKING}


def range_tags(first: str, last: str) -> dict[str, str]:
    """Tags that make a run cover the partitions from `first` to `last`, both included."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def enrichment_config(
    reviews: int, *, profiles: int | None = None, refresh: str = "none", dry_run: bool = False
) -> dict[str, object]:
    """Run config of `enrichment_job`: at most so many reviews, and profiles (as many as reviews when None)."""
    most_profiles = reviews if profiles is None else profiles
    return {
        "ops": {
            "instagram_profiles": {"config": {"limit": 0 if dry_run else most_profiles}},
            "gemini_reviews": {"config": {"limit": reviews, "refresh": refresh, "dry_run": dry_run}},
        }
    }
