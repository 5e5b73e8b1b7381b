"""A run of `ai_insights` or `blog_categories`: what it does, and its report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.gemini.batch import BatchWaits
from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.insights.asset import Work
from entity_pipeline.domains.influencers.insights.collection import Collection
from entity_pipeline.domains.influencers.insights.jobs import STEP_LIMIT
from entity_pipeline.domains.influencers.insights.matching import match_again
from entity_pipeline.domains.influencers.insights.retention import remove_old
from entity_pipeline.domains.influencers.insights.submission import Submission
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.reporting.metadata import counts_table, rows_table
from entity_pipeline.shared.runs.gate import open_settings

_PARTS: Mapping[Work, Sequence[Work]] = {"collect_and_submit": ("collect", "submit")}
Warn = Callable[[str], object]
Metadata = dict[str, Any]


@dataclass(frozen=True)
class InsightsRun:
    """One run with all that it may use."""

    assets_db: Database
    settings: SettingsAccess
    gemini: GeminiBatches
    instagram: InstagramAccess
    store: ObjectStore
    run_id: str
    limit: timedelta = STEP_LIMIT

    def work(self, work: Work, warn: Warn) -> dg.MaterializeResult:
        """Do the work, part by part; each part asks the gate first.

        Raises:
            dagster.Failure: the domain is switched off, or its settings can't be used.
        """
        metadata: Metadata = {}
        deadline = datetime.now(UTC) + self.limit
        for part in _PARTS.get(work, (work,)):
            settings = open_settings(self.settings, InfluencerSettings)
            metadata |= self._part(part, settings, deadline, warn)
        return dg.MaterializeResult(metadata=metadata)

    def _part(self, part: Work, settings: InfluencerSettings, deadline: datetime, warn: Warn) -> Metadata:
        if part == "submit":
            return self._submit(settings, deadline, warn)
        if part == "remove_old":
            removed = remove_old(self.assets_db, settings)
            return {"insights_removed": removed.blogs, "requests_without_texts": removed.requests}
        return self._collect(settings, deadline, warn, cancel_overdue=part == "retry_stale")

    def _submit(self, settings: InfluencerSettings, deadline: datetime, warn: Warn) -> Metadata:
        run = Submission(
            database=self.assets_db,
            gemini=self.gemini,
            session=self.instagram.session(KEY),
            store=self.store,
            settings=settings,
            run_id=self.run_id,
            deadline=deadline,
        )
        run.run()
        if run.held_because:
            warn(f"Stopped before the end: {run.held_because}")
        return {
            "batches_submitted": len(run.batches),
            "held_because": run.held_because or "nothing",
            "submission": counts_table(run.writer.outcomes, counted="tasks"),
            "pictures": counts_table(run.pictures.outcomes, counted="pictures"),
        }

    def _collect(
        self, settings: InfluencerSettings, deadline: datetime, warn: Warn, *, cancel_overdue: bool
    ) -> Metadata:
        run = Collection(
            database=self.assets_db,
            gemini=self.gemini,
            settings=settings,
            run_id=self.run_id,
            deadline=deadline,
        )
        run.run(cancel_overdue=cancel_overdue)
        for batch in run.waits:
            if batch.is_overdue:
                warn(f"The batch {batch.name} is overdue: submitted at {minute_in_words(batch.since)}.")
        return {
            "batches_ended": len(run.ended),
            "batches_cancelled": len(run.cancelled),
            "batches_open": rows_table([_row(batch) for batch in run.waits]),
            "collection": counts_table(run.writer.outcomes, counted="tasks"),
        }


def match_categories_again(assets_db: Database) -> dg.MaterializeResult:
    """Match all described blogs again."""
    done = match_again(assets_db)
    return dg.MaterializeResult(
        metadata={
            "blogs": done.blogs,
            "rows_changed": done.changed,
            "topics_without_category": counts_table(done.unmatched, "topic", "blogs"),
        }
    )


def _row(batch: BatchWaits) -> dict[str, Any]:
    return {
        "batch": batch.name,
        "state": str(batch.state),
        "gemini says": batch.said,
        "since": minute_in_words(batch.since),
        "overdue": batch.is_overdue,
    }
