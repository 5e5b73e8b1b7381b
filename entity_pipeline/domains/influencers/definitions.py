"""The Dagster definitions of the influencers domain."""

import dagster as dg


def influencer_definitions() -> dg.Definitions:
    """Assets, jobs, sensors and schedules, without resources."""
    return dg.Definitions()
