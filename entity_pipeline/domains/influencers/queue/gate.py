"""Whether the domain may ask Instagram: its own row, the row `instagram`, and the acknowledged terms."""

from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.settings import Closed, Gate, SettingsAccess
from entity_pipeline.domains.influencers.settings import InfluencerSettings


def scraping_gate(settings: SettingsAccess) -> Gate[InfluencerSettings]:
    """Open with the domain's settings.

    Raises:
        DatabaseUnavailable: the rows can't be read.
    """
    instagram = settings.gate(InstagramSettings)
    own = settings.gate(InfluencerSettings)
    return instagram if isinstance(instagram, Closed) and not isinstance(own, Closed) else own
