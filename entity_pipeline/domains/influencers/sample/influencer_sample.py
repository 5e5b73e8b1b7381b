"""The sample of the influencers domain for the sandbox. The content of each part is in the modules beside this one.

The stand-ins load this module, so the code that runs the stages is imported inside functions.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from entity_pipeline.domains.influencers.sample.gemini_answers import InfluencerAnswers
from entity_pipeline.domains.influencers.sample.scripts import simulated_accounts, top_posts
from entity_pipeline.domains.influencers.sample.truth import HASHTAGS
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.instagram_scripts import TopPosts
from entity_pipeline.sandbox.sample import Demo, Sample


class InfluencerSample(Sample):
    """Made-up bloggers in four languages, two hashtags, and the expected result of each."""

    settings: Mapping[str, Any] = {
        "tasks_per_tick": 50,
        "max_concurrent_tasks": 4,
        "discover_hashtags": list(HASHTAGS.values()),
        "insights_acknowledged": True,
        "insights_enabled": True,
        "insights_pictures": 4,
        "insights_wait_hours": 0,
    }
    gemini = InfluencerAnswers()

    def instagram_accounts(self) -> Iterable[SimulatedAccount]:
        """Every blogger, with posts whose ages count from the start of this day."""
        return simulated_accounts(datetime.now(UTC))

    def hashtags(self) -> Mapping[str, TopPosts]:
        """Two hashtags, one Korean and one Cyrillic."""
        return top_posts()

    def load(self, demo: Demo) -> None:
        """Insert the blogs that were scraped long ago, and accounts for the pool."""
        from entity_pipeline.domains.influencers.sample.demo import InfluencerDemo

        self._demo = InfluencerDemo(demo)
        self._demo.load()

    def run(self, demo: Demo) -> None:
        """Name bloggers and hashtags, and work until no task is due: scrapes, discoveries, insights."""
        del demo
        self._demo.run()

    def problems(self, demo: Demo) -> Iterable[str]:
        """Blogs and figures that differ from the sample."""
        del demo
        return self._demo.problems()
