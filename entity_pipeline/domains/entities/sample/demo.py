"""The demo of the entities domain: run every stage once over the sample, and check the result of each account.

The first run works under a cap that is too small, so that the state "cap reached" occurs once; then it raises the cap
as a person would. A further run on the same state has nothing to do.
"""

import os
from collections.abc import Iterator

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.settings_change import Assignment, edit_of
from entity_pipeline.domains.entities.commands.pipeline import Pipeline
from entity_pipeline.domains.entities.commands.summary import Summary, print_summary
from entity_pipeline.domains.entities.sample.expected import expected_accounts
from entity_pipeline.domains.entities.sample.posts import SampleCounts, load_sample
from entity_pipeline.sandbox.sample import DEMO, SMALL_CAP, Demo, requests_seen

_ENDS = """
select lower(ltrim(btrim(username), '@')), metadata #>> '{entity_enrichment,gemini_review,status}',
  coalesce(metadata #>> '{entity_enrichment,catalog_link,status}', 'none'),
  coalesce(metadata #> '{entity_enrichment,catalog_link,reasons}', '[]')
from instagram_accounts
"""


class EntityDemo:
    """One run; `load`, `run` and `problems` come in this order."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._stages = Pipeline(demo.services, demo.runner)
        self._grounded_before = _grounded_requests_seen()
        self._counts: SampleCounts | None = None
        self._summary: Summary | None = None

    def load(self) -> None:
        """Insert the sample's rows into both databases."""
        self._counts = load_sample(
            os.environ["ASSETS_DATABASE_URL"], os.environ["OPERATION_DATABASE_URL"], self._demo.today
        )

    def run(self) -> None:
        """Run every stage and print the table."""
        assert self._counts is not None
        self._demo.console.print(
            f"Posts of {self._counts.first_day} to {self._counts.last_day}: tags, accounts, profiles, reviews, links."
        )
        self._stages.intake()
        self._stages.review()
        self._raise_cap_once()
        self._stages.link()
        self._stages.roll_up()
        self._summary = print_summary(self._demo.console, self._stages)

    def problems(self) -> Iterator[str]:
        """A sentence for each count and each account that differs from the sample."""
        assert self._counts is not None
        assert self._summary is not None
        yield from _miscounts(self._summary, self._counts)
        received = _grounded_requests_seen() - self._grounded_before
        if self._summary.grounded_calls != received:
            yield (
                f"the ledger counted {self._summary.grounded_calls} grounded requests, but {received} were received"
            )
        yield from self._mismatches()

    def _raise_cap_once(self) -> None:
        store = self._demo.services.settings
        quota = self._demo.services.gemini.quota()
        row = store.row(GeminiSettings)
        if not (quota.cap_reached and row.updated_by == DEMO.label and quota.cap == SMALL_CAP):
            return
        cap = GeminiSettings().daily_grounding_cap
        self._demo.console.print(
            f"[bold]Cap reached[/bold]: {quota.used} of {quota.cap} grounded requests of the Pacific day "
            f"{quota.quota_day} are used. The pipeline would continue at {minute_in_words(quota.resets_at)}; "
            f"here the cap is raised to {cap}, as a person would with `entity-pipeline settings set`."
        )
        raised = edit_of(GeminiSettings, [Assignment(("daily_grounding_cap",), cap)])
        store.change(GeminiSettings, raised, DEMO, row.updated_at)
        self._stages.review()

    def _mismatches(self) -> Iterator[str]:
        with self._demo.services.operation_db.connection() as connection:
            found = {
                name: (review, decision, set(reasons))
                for name, review, decision, reasons in connection.execute(_ENDS)
            }
        for name, expected in expected_accounts().items():
            if not expected.certain:
                continue
            review, decision, reasons = found.get(name, ("missing", "missing", set()))
            if decision == "undone":  # a person tried `undo`
                continue
            right_reason = not expected.reasons or reasons & expected.reasons
            if (review, decision) != (expected.review, str(expected.decision)) or not right_reason:
                yield (
                    f"{name}: {review}, {decision} {sorted(reasons)}, but should be {expected.review}, "
                    f"{expected.decision} {sorted(expected.reasons)}"
                )


def _grounded_requests_seen() -> int:
    """The number of grounded requests that the stand-in has received."""
    return int(requests_seen(os.environ["GEMINI_BASE_URL"])["grounded"])


def _miscounts(summary: Summary, sample: SampleCounts) -> Iterator[str]:
    figures = {
        "posts": (summary.posts, sample.posts),
        "tags": (summary.tags, sample.tags),
        "tagged accounts": (summary.tagged_accounts, sample.accounts),
    }
    for what, (found, right) in figures.items():
        if found < right:  # there may be more: a person's own posts
            yield f"{what}: {found}, but should be at least {right}"
