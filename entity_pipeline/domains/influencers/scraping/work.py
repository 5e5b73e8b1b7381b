"""A run of `blog_metrics`, and the tick that looks whether one is needed."""

from collections.abc import Callable
from functools import partial

import dagster as dg

from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.influencers.reasons import because
from entity_pipeline.domains.influencers.scraping import METRICS_VERSION
from entity_pipeline.domains.influencers.scraping.queries.outdated import missing_measures, outdated_blogs
from entity_pipeline.domains.influencers.scraping.recompute import recompute
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.reporting.metadata import counts_table
from entity_pipeline.shared.runs.gate import gate_of


def measure_again(log: Callable[[str], object], assets_db: Database) -> dg.MaterializeResult:
    """Take measures of a former version again, and report why measures are missing."""
    measured = recompute(assets_db)
    missing = patiently_on(assets_db, missing_measures)
    log(f"The measures of {measured} blogs were taken again.")
    return dg.MaterializeResult(
        metadata={
            "version_of_the_formulas": METRICS_VERSION,
            "measured_again": measured,
            "missing_measures": counts_table(missing, "measure and reason", counted="blogs"),
        }
    )


def former_measures(assets_db: Database, settings: SettingsAccess) -> dg.RunRequest | dg.SkipReason:
    """One run when measures come from a former version."""
    gate = gate_of(settings, InfluencerSettings)
    if isinstance(gate, Closed):
        return dg.SkipReason(str(gate.reason))
    if patiently_on(assets_db, partial(outdated_blogs, most=1)):
        return dg.RunRequest()
    return dg.SkipReason(str(because("tick.measures_are_current")))
