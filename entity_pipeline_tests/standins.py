"""The stand-ins with the samples of the installed domains, as the sandbox starts them."""

from typing import Any

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.sandbox import gemini_standin, instagram_standin
from entity_pipeline.sandbox.sample import references, samples_at


class GeminiStandin(gemini_standin.GeminiStandin):
    """Gemini, in this process."""

    def __init__(self, **options: Any) -> None:
        samples = samples_at(references(DOMAINS))
        super().__init__([sample.gemini for sample in samples if sample.gemini is not None], **options)


class InstagramStandin(instagram_standin.InstagramStandin):
    """Instagram and its picture hosts, in this process."""

    def __init__(self, **options: Any) -> None:
        samples = samples_at(references(DOMAINS))
        accounts = (one for sample in samples for one in sample.instagram_accounts())
        tags = {tag: posts for sample in samples for tag, posts in sample.hashtags().items()}
        super().__init__(accounts, tags, **options)
