"""The jobs of this stage, one per schedule. Each runs the same asset with another part of its work."""

from datetime import timedelta

import dagster as dg

from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.insights.asset import Work, ai_insights, blog_categories
from entity_pipeline.shared.runs.tags import job_tags

# A step ends its work after this long.
STEP_LIMIT = timedelta(minutes=40)
_LONGEST = timedelta(minutes=75)


def insights_config(work: Work) -> dict[str, object]:
    """Run config of a job over `ai_insights`."""
    return {"ops": {"ai_insights": {"config": {"work": work}}}}


submit_job = dg.define_asset_job(
    "influencers_insights_submit_job",
    selection=dg.AssetSelection.assets(ai_insights),
    config=insights_config("submit"),
    tags=job_tags(KEY, longest=_LONGEST),
    description="Fetches the pictures of blogs that wait for insights, and sends them in batches when enough wait.",
)
poll_job = dg.define_asset_job(
    "influencers_poll_batches_job",
    selection=dg.AssetSelection.assets(ai_insights),
    config=insights_config("collect"),
    tags=job_tags(KEY, longest=_LONGEST),
    description="Looks at every open batch once, and stores what those that have ended answered.",
)
retry_stale_job = dg.define_asset_job(
    "influencers_retry_stale_batches_job",
    selection=dg.AssetSelection.assets(ai_insights),
    config=insights_config("retry_stale"),
    tags=job_tags(KEY, longest=_LONGEST),
    description="Cancels batches that are older than 26 hours; what they did not answer is asked again once they end.",
)
retention_job = dg.define_asset_job(
    "influencers_insights_retention_job",
    selection=dg.AssetSelection.assets(ai_insights, blog_categories),
    config=insights_config("remove_old"),
    tags=job_tags(KEY, longest=_LONGEST),
    description="Removes insights older than insights_retention_days, and matches categories again. Asks nothing.",
)

jobs = [submit_job, poll_job, retry_stale_job, retention_job]
