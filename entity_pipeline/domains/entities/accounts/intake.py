"""Taking the tagged accounts of some days into `instagram_accounts`: what the asset of that name does."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import psycopg

from entity_pipeline.domains.entities.accounts.queries.intake import (
    IntakeCounts,
    TaggedTotals,
    adopt,
    unadopted_days,
    upsert_tagged_accounts,
)
from entity_pipeline.domains.entities.accounts.queries.intake_days import days_held, note_days
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.domains.entities.tags.queries.tagged_days import counted_days
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import names_on, run_totals, totals_of


def take_in(
    assets: psycopg.Connection[Any],
    guard: psycopg.Connection[Any],
    writers: Sequence[psycopg.Connection[Any]],
    days: Sequence[date],
    last_partition: date,
) -> dict[date, IntakeCounts]:
    """Bring the accounts of these days up to date with `tagged_usernames`, and adopt those of no cohort.

    `guard` and `writers` are connections to the accounts' database, each another one. A day that the accounts hold
    already is not read again; its usernames count as unchanged. A day with accounts that a person must mend (doubled,
    or with metadata that can't hold ours) is looked at each time.

    Raises:
        DatabaseUnavailable: the guard was lost; nothing of the slice at hand is written.
    """
    operation = writers[0]
    # Read before the totals: rows that change meanwhile belong to a later state, which the next run takes in.
    counted = counted_days(assets, days)
    held = days_held(operation, {day: state.changed_at for day, state in counted.items()})
    counts = {day: IntakeCounts(unchanged=counted[day].usernames) for day in held}
    due = [day for day in days if day not in held]
    if due:
        totals = TaggedTotals(
            of_run=partial(run_totals, assets, due),
            of=partial(totals_of, assets),
            names_on=partial(names_on, assets),
        )
        counts |= upsert_tagged_accounts(
            guard, writers, due, totals, first_partition=FIRST_DAY, last_partition=last_partition
        )
    for day in sorted(unadopted_days(operation, FIRST_DAY, last_partition).keys() & counts.keys()):
        counts[day].adopted += adopt(operation, day, FIRST_DAY, last_partition)
    done = [
        day for day in due if day in counted and not counts[day].duplicates + counts[day].unusable_metadata
    ]
    if done:
        note_days(operation, {day: counted[day].changed_at for day in done})
    return {day: counts[day] for day in days}
