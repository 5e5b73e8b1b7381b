"""Take the tagged accounts of some days into `instagram_accounts`: the work of the asset with that name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from threading import Lock
from typing import Any

import psycopg

from entity_pipeline.domains.entities.accounts.queries.intake import (
    IntakeCounts,
    TaggedTotals,
    adopt,
    unadopted_days,
    upsert_tagged_accounts,
)
from entity_pipeline.domains.entities.accounts.queries.intake_days import cohort_sizes, day_states, note_days
from entity_pipeline.domains.entities.accounts.queries.queue_rows import list_new
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import names_on, run_totals, totals_of
from entity_pipeline.domains.entities.trials import INTAKE
from entity_pipeline.shared.database.trial_writes import require


def take_in(
    assets: psycopg.Connection[Any],
    lister: psycopg.Connection[Any],
    guard: psycopg.Connection[Any],
    writers: Sequence[psycopg.Connection[Any]],
    days: Sequence[date],
    last_partition: date,
) -> dict[date, IntakeCounts]:
    """Bring the accounts of these days up to date with `tagged_usernames`, and adopt those without a cohort.

    `lister` is another connection to the database of `assets`: it lists new accounts in `enrichment_queue`, and leaves
    the others to a sweep. `guard` and `writers` are distinct connections to the accounts' database. A day that the
    accounts hold already is not read again; its usernames count as unchanged. A day with accounts that a person must
    correct (doubled ones, or ones with unusable metadata) is read each time.

    Raises:
        DatabaseUnavailable: the guard was lost; the current slice is not written.
    """
    operation = writers[0]
    # Read before the totals: rows that change meanwhile belong to a later state, which the next run takes in.
    states = day_states(assets, days)
    sizes = cohort_sizes(operation, [day for day, state in states.items() if state.accounts is not None])
    held = {day for day, size in sizes.items() if size == states[day].accounts}
    counts = {day: IntakeCounts(unchanged=states[day].usernames) for day in held}
    due = [day for day in days if day not in held]
    listing = Lock()

    def list_some(rows: Sequence[bytes]) -> None:
        with listing:
            list_new(lister, rows)

    if due:
        totals = TaggedTotals(
            of_run=partial(run_totals, assets, due),
            of=partial(totals_of, assets),
            names_on=partial(names_on, assets),
        )
        counts |= upsert_tagged_accounts(
            guard,
            writers,
            due,
            totals,
            list_some,
            check_schema=partial(require, trials=INTAKE),
            first_partition=FIRST_DAY,
            last_partition=last_partition,
        )
    for day in sorted(unadopted_days(operation, FIRST_DAY, last_partition).keys() & counts.keys()):
        counts[day].add(adopt(operation, day, FIRST_DAY, last_partition))
    done = [
        day
        for day in states
        if not counts[day].refused
        and (
            (day in held and counts[day].adopted)
            or (day not in held and not counts[day].duplicates + counts[day].unusable_metadata)
        )
    ]
    if done:
        now = cohort_sizes(operation, done)
        note_days(assets, {day: replace(states[day], accounts=now[day]) for day in done})
    return {day: counts[day] for day in days}
