"""Insights: what a model says about a blog, each statement with the posts it rests on.

`submission.py` asks in batches, `collection.py` stores what was answered, `retention.py` removes what is old. The pure
rules are in `logic/`: the schema (`ai_insights`, `wire`), the reading of an answer (`reading`, `evidence`), categories.
"""

from entity_pipeline.core.gemini.call import Step
from entity_pipeline.domains.influencers import KEY

STEP = Step(KEY, KEY, "insights")
"""The step of the ledger; the subject of a request is the blog's id."""
