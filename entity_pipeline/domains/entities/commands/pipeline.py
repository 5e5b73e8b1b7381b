"""The stages for commands: pending work is read from the databases and then done by the Dagster jobs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from entity_pipeline.cli.progress import review_progress
from entity_pipeline.cli.runs import Runner, dagster_instance
from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import current_shell
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import JobRunner
from entity_pipeline.core.settings import Closed, Open
from entity_pipeline.domains.entities.accounts.backlog import Backlog, Wanted
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep_all
from entity_pipeline.domains.entities.accounts.logic.plan import Launch, used_up
from entity_pipeline.domains.entities.accounts.queries.enrichment import occupied_cohorts
from entity_pipeline.domains.entities.accounts.queries.intake import unadopted_days
from entity_pipeline.domains.entities.cohorts import every_cohort
from entity_pipeline.domains.entities.jobs import enrichment_config, enrichment_queue_config, linking_config
from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tags.queries.raw_posts import days_with_posts
from entity_pipeline.shared.runs.days import contiguous

# One run over a month with a few empty days is faster than one run per day.
LONGEST_STEP = 31
WITHOUT_LIMIT = 1_000_000_000
ALL_PROFILES = 1_000_000  # the windows and the step's time are the real limits


REVIEWS = dg.AssetKey("gemini_reviews")
NOTHING = "nothing"  # as assets write it


class Pipeline:
    """All stages over the cohorts `days`, or over everything that is pending when it is None.

    `reviews_held_because` is a sentence when `review` stopped before the end.
    """

    def __init__(self, built: Any, runner: JobRunner, days: Sequence[date] | None = None) -> None:
        self.services = built
        self.started_at = datetime.now(UTC)
        self.reviews_held_because = NOTHING
        self._runner = runner
        self._days = days

    @property
    def settings(self) -> EntitySettings:
        """The current settings.

        Raises:
            ConfigurationFailure: the pipeline is switched off, or its settings can't be used.
        """
        gate = self.services.settings.gate(EntitySettings)
        if isinstance(gate, Closed):
            raise ConfigurationFailure(str(gate.reason))
        found: EntitySettings = gate.settings
        return found

    def intake(self) -> None:
        """Run the stages from posts to accounts with a cohort."""
        now = datetime.now(UTC)
        days = set(self._days or ())
        if self._days is None:
            days.update(
                patiently_on(self.services.assets_db, lambda database: days_with_posts(database, FIRST_DAY))
            )
            days.update(
                patiently_on(
                    self.services.operation_db,
                    lambda database: unadopted_days(database, FIRST_DAY, last_day(now)),
                )
            )
        self._run_ranges("intake_job", {day for day in days if day <= last_day(now)})

    def review(
        self, *, limit: int | None = None, refresh: str = "none", since: datetime | None = None
    ) -> None:
        """Fetch profiles and make reviews of the most-tagged accounts that the quota and `limit` allow.

        `since` is when the refresh began.
        """
        chosen, most = patiently(lambda: self._chosen(limit, refresh))
        profiles = ALL_PROFILES if limit is None else limit
        with review_progress(self.services.gemini.ledger, min(sum(chosen.values()), most), self.started_at):
            for days, share in self._shares(chosen):
                config = enrichment_config(min(share, most), profiles=profiles, refresh=refresh, since=since)
                report = _review_report(self._runner.run("enrichment_job", days, config))
                most -= report.get("accounts_done", 0)
                self.reviews_held_because = report.get("held_because", NOTHING)

    def count_paid_calls(self, *, limit: int | None = None, refresh: str = "none") -> int:
        """The most calls that `review` would pay for; sends no request."""
        return self._count(*self._chosen(limit, refresh), refresh)

    def count_wanted(self, *, refresh: str, since: datetime) -> int:
        """The most calls that all of a refresh still takes, whatever the quota allows; sends no request."""
        most = WITHOUT_LIMIT
        return self._count(dict.fromkeys(self._occupied(), most), most, refresh, since)

    def affordable(self, limit: int | None = None) -> int:
        """The most reviews that the rest of today's quota and `limit` allow."""
        quota = self.services.gemini.quota(STEP)
        affordable: int = quota.remaining // quota.units_per_request
        return affordable if limit is None else min(limit, affordable)

    def _count(self, chosen: dict[date, int], most: int, refresh: str, since: datetime | None = None) -> int:
        total = 0
        for days, share in self._shares(chosen):
            config = enrichment_config(min(share, most - total), refresh=refresh, since=since, dry_run=True)
            total += _review_report(self._runner.run("enrichment_job", days, config)).get("would_be_asked", 0)
        return total

    def link(self) -> None:
        """Turn reviews into catalog links."""
        cohorts = patiently(self._undecided)
        if self._days is not None:
            cohorts = [day for day in cohorts if day in self._days]
        self._run_ranges("linking_job", cohorts)

    def decide_again(self) -> None:
        """Decide all held accounts again; pays nothing."""
        for days in self._ranges(self._occupied()):
            self._runner.run("linking_job", days, linking_config("held"))

    def list_accounts(self) -> None:
        """Bring `enrichment_queue` up to date, and once per day compare all of it with the accounts."""
        self._runner.run("enrichment_queue_job", config=enrichment_queue_config(compare="when_due"))

    def roll_up(self) -> None:
        """Roll the ledger up by quota day."""
        self._runner.run("spend_job")

    def _chosen(self, limit: int | None, refresh: str) -> tuple[dict[date, int], int]:
        """The number of accounts per cohort, the most-tagged of all cohorts first, and the total."""
        settings, now = self.settings, datetime.now(UTC)
        quota = self.services.gemini.quota(STEP)
        most = self.affordable(limit)
        if refresh != "none":
            return dict.fromkeys(self._occupied(), most), most
        sweep_all(self.services.operation_db, self.services.assets_db)
        wanted = Wanted(reviews=limit, only=self._days)
        with self.services.assets_db.connection() as assets:
            backlog = Backlog(assets, every_cohort(now))
            decision = backlog.next_runs(Open(settings), quota, frozenset(), now, wanted)
            if isinstance(decision, Launch):
                return dict(decision.limits), most
            # Profiles do not depend on Gemini's quota.
            if used_up(quota) is not None and backlog.oldest_review() is not None:
                self.reviews_held_because = str(decision.reason)
            return dict.fromkeys(backlog.due_profiles(settings, now, wanted), 0), most

    def _occupied(self) -> Sequence[date]:
        with self.services.operation_db.connection() as operation:
            return self._days or occupied_cohorts(operation, every_cohort(datetime.now(UTC)))

    def _undecided(self) -> list[date]:
        sweep_all(self.services.operation_db, self.services.assets_db)
        with self.services.operation_db.connection() as operation:
            again = overtaken(operation)
        with self.services.assets_db.connection() as assets:
            backlog = Backlog(assets, every_cohort(datetime.now(UTC)))
            return sorted({*backlog.undecided(again), *backlog.refused()})

    def _shares(self, chosen: dict[date, int]) -> list[tuple[tuple[date, date], int]]:
        return [
            ((first, last), sum(count for day, count in chosen.items() if first <= day <= last))
            for first, last in self._ranges(chosen)
        ]

    def _ranges(self, days: Sequence[date] | set[date] | dict[date, int]) -> list[tuple[date, date]]:
        return contiguous(days, longest_step=1 if self._days is not None else LONGEST_STEP)

    def _run_ranges(self, job_name: str, days: Sequence[date] | set[date]) -> None:
        for days_of_run in self._ranges(days):
            self._runner.run(job_name, days_of_run)


@contextmanager
def pipeline(days: Sequence[date] | None = None) -> Iterator[Pipeline]:
    """The pipeline on the databases of the environment."""
    with services() as built, dagster_instance() as instance:
        yield Pipeline(built, Runner(instance, current_shell().definitions()), days)


def _review_report(result: dg.ExecuteInProcessResult) -> Mapping[str, Any]:
    """What `gemini_reviews` recorded for the first of the run's partitions that has accounts, by name."""
    for event in result.all_events:
        metadata: Mapping[str, dg.MetadataValue] = {}
        if event.is_asset_observation:
            metadata = event.asset_observation_data.asset_observation.metadata
        elif event.is_step_materialization:
            metadata = event.step_materialization_data.materialization.metadata
        if event.asset_key == REVIEWS and "accounts_done" in metadata:
            return {name: value.value for name, value in metadata.items()}
    return {}
