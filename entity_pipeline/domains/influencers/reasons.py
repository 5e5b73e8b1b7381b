"""Reasons of this domain; their words are in `texts/{en,ko}.json` beside this file."""

from entity_pipeline.core.reasons import Reason

PACKAGE = "entity_pipeline.domains.influencers"


def because(key: str, **values: object) -> Reason:
    """``because("tick.nothing_due")``."""
    return Reason(PACKAGE, key, values)
