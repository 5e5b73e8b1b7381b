"""The sample of the entities domain for the sandbox. The content of each part is in the modules beside this one.

The stand-ins load this module, so the code that runs the stages is imported inside functions.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from entity_pipeline.domains.entities.sample.gemini_answers import EntityAnswers
from entity_pipeline.domains.entities.sample.instagram import simulated_accounts
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.sample import Demo, Sample


class EntitySample(Sample):
    """Seven days of posts, a catalog made by people, and the expected result of every account."""

    settings: Mapping[str, Any] = {"instagram_backfill_enabled": True}
    gemini = EntityAnswers()

    def instagram_accounts(self) -> Iterable[SimulatedAccount]:
        """The profiles of all accounts of the sample, including odd ones."""
        return simulated_accounts()

    def load(self, demo: Demo) -> None:
        """Insert the posts of the seven days that end today, and the earlier catalog."""
        from entity_pipeline.domains.entities.sample.demo import EntityDemo

        self._demo = EntityDemo(demo)
        self._demo.load()

    def run(self, demo: Demo) -> None:
        """Run all stages from posts to links, the first time under a cap that is too small."""
        self._demo.run()

    def problems(self, demo: Demo) -> Iterable[str]:
        """Counts and accounts that differ from the sample."""
        return self._demo.problems()
