"""A run of `instagram_profiles`: the selection of due profiles, one look after the other, and the report."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

import dagster as dg

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.instagram.results import Deferred
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.patience import patiently, patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.accounts.backlog import AGED_PROFILES_AT_ONCE
from entity_pipeline.domains.entities.accounts.enrichment_queue import QueueKeeper, correct
from entity_pipeline.domains.entities.accounts.queries.backlog import is_profile_due, listed_profiles
from entity_pipeline.domains.entities.accounts.queries.enrichment import (
    CohortRange,
    aged_profiles,
    pending_profiles,
    pending_profiles_by_cohort,
    profile_samples,
    status_counts,
)
from entity_pipeline.domains.entities.cohorts import cohort_range
from entity_pipeline.domains.entities.profiles.asset import POOL_CHECK, ProfileConfig
from entity_pipeline.domains.entities.profiles.backfill import Backfiller
from entity_pipeline.domains.entities.profiles.pictures import ProfilePictures
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.reporting.charts import faces
from entity_pipeline.shared.reporting.metadata import (
    counts_table,
    refused_metadata,
    rows_table,
)
from entity_pipeline.shared.reporting.partitions import green_when_finished
from entity_pipeline.shared.runs.gate import open_settings

STEP_LIMIT = timedelta(minutes=10)
FACES = 12
_SWITCHED_OFF = (
    "The profile backfill is switched off. To switch it on, run `entity-pipeline settings set instagram "
    "terms_acknowledged=true` and `entity-pipeline settings set entities instagram_backfill_enabled=true`."
)


def look_at_profiles(
    context: dg.AssetExecutionContext,
    config: ProfileConfig,
    *,
    assets_db: Database,
    operation_db: Database,
    settings: SettingsAccess,
    instagram: InstagramAccess,
    r2: ObjectStore,
    tracing: Tracing,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Fetch the due profiles of the run's cohorts, as long as Instagram and the settings allow it."""
    is_wanted = open_settings(settings, EntitySettings).instagram_backfill_enabled
    cohorts = cohort_range(context.partition_keys)
    now = datetime.now(UTC)
    waiting = patiently_on(
        operation_db, lambda database: pending_profiles(database, cohorts, now, config.limit)
    )
    patiently(
        lambda: correct(
            operation_db,
            assets_db,
            partial(listed_profiles, cohorts=cohorts, now=now, limit=config.limit),
            waiting,
        )
    )
    session = instagram.session(KEY)
    backfiller = Backfiller(
        operation_db, session, ProfilePictures(session, r2), deadline=datetime.now(UTC) + STEP_LIMIT
    )
    with tracing.step("instagram_profiles"), QueueKeeper(operation_db, assets_db) as keeper:
        backfiller.note = keeper.note
        looked = _look(waiting, settings, backfiller)
        aged = (
            _aged(operation_db, assets_db, settings, cohorts, config.limit) if not looked.held_because else ()
        )
        again = _look(aged, settings, backfiller)
    found = patiently_on(operation_db, lambda database: _found(database, cohorts, is_wanted=is_wanted))
    if looked.held_because:
        context.log.warning(f"{looked.left} profiles are left for a later run: {looked.held_because}")
    yield from _report(context, looked, again, backfiller, found)


def _aged(
    operation_db: Database, assets_db: Database, settings: SettingsAccess, cohorts: CohortRange, limit: int
) -> Sequence[UUID]:
    """Profiles of the cohorts to look at again because of their age; none while a pending one of any cohort is due."""
    gate, now = patiently(partial(settings.gate, EntitySettings)), datetime.now(UTC)
    if isinstance(gate, Closed):
        return ()
    seen_before, most = gate.settings.profiles_seen_before(now), min(limit, AGED_PROFILES_AT_ONCE)
    if seen_before is None or patiently_on(assets_db, lambda database: is_profile_due(database, now)):
        return ()
    return patiently_on(operation_db, lambda database: aged_profiles(database, cohorts, seen_before, most))


@dataclass
class _Looked:
    """The results of a run: outcomes by account, the number of accounts left, and why.

    `refused` is set when Instagram was the reason, not a switch of ours.
    """

    outcomes: Counter[str]
    left: int
    held_because: str = ""
    refused: str = ""


def _look(waiting: Sequence[UUID], settings: SettingsAccess, backfiller: Backfiller) -> _Looked:
    """Fetch one profile after the other until all are done or the next one is forbidden."""
    outcomes: Counter[str] = Counter()

    def looked(held_because: str = "", refused: str = "") -> _Looked:
        return _Looked(outcomes, len(waiting) - outcomes.total(), held_because, refused)

    for account_id in waiting:
        held_because = _held_because(settings)
        if held_because:
            return looked(held_because)
        ended = backfiller.backfill(account_id)
        if isinstance(ended, Deferred):
            until = f" Next try: {minute_in_words(ended.next_at)}." if ended.next_at else ""
            return looked(f"{ended.reason}{until}", f"{ended.reason}{until}")
        outcomes[ended.word if ended is not None else "no_such_handle"] += 1
    return looked(_held_because(settings) if not waiting else "")


def _held_because(settings: SettingsAccess) -> str:
    """Why no profile may be fetched, in a sentence; empty when one may be."""
    for model in (EntitySettings, InstagramSettings):
        gate = patiently(partial(settings.gate, model))
        if isinstance(gate, Closed):
            return str(gate.reason)
        if isinstance(gate.settings, EntitySettings) and not gate.settings.instagram_backfill_enabled:
            return _SWITCHED_OFF
    return ""


@dataclass(frozen=True, slots=True)
class _Found:
    """The state of all cohorts after the run."""

    statuses: Mapping[str, int]
    pending: Mapping[date, int]
    samples: Sequence[Mapping[str, Any]]


def _found(database: Any, cohorts: CohortRange, *, is_wanted: bool) -> _Found:
    """While the backfill is switched off, no profile is pending."""
    pending = pending_profiles_by_cohort(database, cohorts)
    return _Found(
        status_counts(database, cohorts, "profile_backfill", "status"),
        pending if is_wanted else dict.fromkeys(pending, 0),
        profile_samples(database, cohorts),
    )


def _report(
    context: dg.AssetExecutionContext, looked: _Looked, again: _Looked, backfiller: Backfiller, found: _Found
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    counts = {
        "profiles_looked_at": looked.outcomes.total(),
        "profiles_left_for_later": looked.left,
    }
    metadata: dict[str, Any] = {
        **counts,
        "held_because": looked.held_because or "nothing",
        "faces": _faces(found.samples),
        "this_run": counts_table(looked.outcomes),
        "looked_at_again": counts_table(again.outcomes),
        "pictures": counts_table(backfiller.pictures.outcomes),
        "pictures_held_because": backfiller.pictures.held_because or "nothing",
        "columns_refused_by_the_catalog": backfiller.columns_refused,
        **refused_metadata(backfiller.refused),
        "all_of_the_cohorts": counts_table(found.statuses, "status"),
        "sample": rows_table([_without_address(sample) for sample in found.samples]),
    }
    yield dg.AssetCheckResult(
        check_name=POOL_CHECK,
        passed=not looked.refused or bool(looked.outcomes),
        severity=dg.AssetCheckSeverity.WARN,
        description=looked.refused or "An account or a route was free.",
        metadata={"held_because": looked.refused or "nothing", **counts},
    )
    yield from green_when_finished(context, "instagram_profiles", found.pending, metadata)


def _faces(samples: Sequence[Mapping[str, Any]]) -> dg.MetadataValue:
    """The stored pictures that have a public address."""
    stored = {sample["username"]: sample["picture"] for sample in samples if sample["picture"]}
    shown = faces(dict(islice(stored.items(), FACES)))
    return dg.MetadataValue.md(shown) if shown else dg.MetadataValue.text("none with a public address")


def _without_address(sample: Mapping[str, Any]) -> dict[str, Any]:
    """The sample without its address, which is too long for the table; `faces` shows the picture."""
    return {name: value for name, value in sample.items() if name != "picture"}
