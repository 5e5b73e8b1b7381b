"""What must hold of both databases, Dagster's records and the stand-ins' logs, whatever the week brought.

Each check returns a sentence for every breach; an empty list means that all is well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from psycopg.rows import dict_row

from entity_pipeline.core.audit import SYSTEM_ACTOR
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.reliability.soak_judges import (
    CapJudge,
    MoodyStore,
    WatchedGemini,
    WatchedInstagram,
)
from entity_pipeline_tests.reliability.soak_people import People

REVIEW_STATES = {"reviewed", "failed"}
LINK_STATES = {"linked", "created", "attached", "held", "undone"}
_ENRICHMENT = "metadata -> 'entity_enrichment'"


@dataclass(frozen=True)
class Evidence:
    """Everything that the checks look at."""

    assets: ClonedDatabase
    operation: ClonedDatabase
    instance: dg.DagsterInstance
    judge: CapJudge
    gemini: WatchedGemini
    instagram: WatchedInstagram
    pictures: MoodyStore
    people: People
    secrets: Sequence[str]
    folder: Path
    tags: Callable[[], Mapping[tuple[Any, str], int]]

    def rows(self, where: str, query: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a query on ``assets`` or ``operation``."""
        database = self.assets if where == "assets" else self.operation
        with database.connection() as connection:
            return connection.cursor(row_factory=dict_row).execute(query, values or None).fetchall()


def no_day_over_its_cap(seen: Evidence) -> list[str]:
    return list(seen.judge.breaches)


def every_request_is_in_the_ledger(seen: Evidence) -> list[str]:
    """The ledger may hold more than arrived (a kill between "sent" and sending), never less."""
    held = {
        (row["subject"], row["grounded"]): row["count"]
        for row in seen.rows(
            "assets",
            "select subject, grounded, count(*) from gemini_usage_events where pipeline = 'entity_enrichment' "
            "and state not in ('reserved', 'released') group by 1, 2",
        )
    }
    return [
        f"{asked}: {count} requests arrived, the ledger holds {held.get(asked, 0)}"
        for asked, count in seen.gemini.all.items()
        if count > held.get(asked, 0)
    ]


def no_input_is_paid_twice(seen: Evidence) -> list[str]:
    """A good answer that the ledger does not hold was on the wire when something broke; there is none besides."""
    query = """
        select subject, metadata ->> 'kind' as kind, input_hash, count(*) from gemini_usage_events
        where pipeline = 'entity_enrichment' and state = 'settled' group by 1, 2, 3 having count(*) > 1
    """
    twice = [
        f"{row['subject']}: {row['count']} settled {row['kind']} calls for one input"
        for row in seen.rows("assets", query)
    ]
    query = """
        select subject, grounded, count(*) filter (where state = 'settled') as settled,
               count(*) filter (where state = 'unknown') as lost
        from gemini_usage_events where pipeline = 'entity_enrichment' group by 1, 2
    """
    ledger = {(row["subject"], row["grounded"]): row for row in seen.rows("assets", query)}
    for asked, good in seen.gemini.good.items():
        row = ledger.get(asked, {"settled": 0, "lost": 0})
        if good > row["settled"] + row["lost"]:
            twice.append(
                f"{asked}: {good} good answers, {row['settled']} kept and {row['lost']} lost on the wire"
            )
    return twice


def no_account_is_reviewed_twice(seen: Evidence) -> list[str]:
    """A paid reply makes one review: attempts never exceed the requests that were answered or lost."""
    query = """
        select subject, count(distinct input_hash) as inputs, count(*) filter (where state = 'settled') as settled
        from gemini_usage_events where pipeline = 'entity_enrichment' and grounded group by 1
    """
    return [
        f"{row['subject']}: {row['settled']} reviews of {row['inputs']} inputs"
        for row in seen.rows("assets", query)
        if row["settled"] > row["inputs"]
    ]


def every_account_has_one_state(seen: Evidence) -> list[str]:
    query = f"""
        select username, is_active, {_ENRICHMENT} #>> '{{gemini_review,status}}' as review,
               {_ENRICHMENT} #>> '{{catalog_link,status}}' as link, num_nonnulls(artist_id, brand_id, group_id) as links
        from instagram_accounts
    """
    strange = []
    for row in seen.rows("operation", query):
        review, link = row["review"], row["link"]
        fine = (
            (review == "reviewed" and link in LINK_STATES)
            or (review == "failed" and link is None)
            or (not row["is_active"] and (review is None or review == "deferred"))
        )
        if not fine or row["links"] > 1:
            strange.append(f"{row['username']}: review {review}, link {link}, linked {row['links']} times")
    return strange


def nothing_is_left_pending(seen: Evidence) -> list[str]:
    query = f"""
        select username, {_ENRICHMENT} ->> 'gemini_review' as review from instagram_accounts where is_active
        and coalesce({_ENRICHMENT} #>> '{{gemini_review,status}}', 'pending') not in ('reviewed', 'failed')
    """
    return [f"{row['username']} still waits: {row['review']}" for row in seen.rows("operation", query)]


def every_tag_is_counted(seen: Evidence) -> list[str]:
    """`tagged_usernames` against the posts themselves, by the soak's own record."""
    query = "select day, username, posts from tagged_usernames"
    found = {(row["day"], row["username"]): row["posts"] for row in seen.rows("assets", query)}
    made = seen.tags()
    wrong = {key for key in found.keys() | made.keys() if found.get(key) != made.get(key)}
    return [
        f"{day} {name}: {found.get((day, name))} posts counted, {made.get((day, name))} made"
        for day, name in sorted(wrong)
    ]


def every_tagged_account_is_there(seen: Evidence) -> list[str]:
    there = {row["username"] for row in seen.rows("operation", "select username from instagram_accounts")}
    return [
        f"{name} was tagged and has no account row"
        for name in sorted({name for _, name in seen.tags()} - there)
    ]


def no_twin_entities(seen: Evidence) -> list[str]:
    """Entities of our making; a person may enter a name twice."""
    twins = []
    for table in ("artists", "brands", "groups"):
        rows = seen.rows(
            "operation",
            f"select entity_pipeline_name_key(name_en) as name, array_agg(id) as ids from {table} "
            "where name_en is not null group by 1 having count(*) > 1",
        )
        twins += [
            f"{table}: {row['name']} stands for {len(row['ids'])} entities"
            for row in rows
            if not set(row["ids"]) & (seen.people.own_entities | _edited(seen, table))
        ]
    return twins


def peoples_edits_are_kept(seen: Evidence) -> list[str]:
    return seen.people.lost_edits()


def group_members_are_untouched(seen: Evidence) -> list[str]:
    rows = seen.rows("operation", "select group_id, artist_id from group_members")
    there = {(row["group_id"], row["artist_id"]) for row in rows}
    made = {pair for pair in seen.people.members if pair in there}
    return [] if there == made else [f"group_members has {there - made} rows that no person entered"]


def every_entity_has_its_audit_row(seen: Evidence) -> list[str]:
    bare = []
    for table, column in (("artists", "artist_id"), ("brands", "brand_id"), ("groups", "group_id")):
        rows = seen.rows(
            "operation",
            f"select id from {table} e where not exists (select from admin_audit_log l where l.target_id = e.id "
            "and l.target_table = %s and l.before_state is null and l.admin_user_id = %s)",
            table,
            SYSTEM_ACTOR,
        )
        bare += [
            f"{table} {row['id']} was created without an audit row"
            for row in rows
            if row["id"] not in seen.people.own_entities
        ]
        rows = seen.rows(
            "operation",
            f"select username from instagram_accounts a where {column} is not null and not exists "
            "(select from admin_audit_log l where l.target_id = a.id and l.after_state ->> %s = a."
            + column
            + "::text)",
            column,
        )
        bare += [f"{row['username']} was linked without an audit row" for row in rows]
    return bare


def instagram_windows_hold(seen: Evidence) -> list[str]:
    """As the requests arrived, and to the moment as they were counted; none arrived that was not counted."""
    query = """
        select requested_at, requested_at - lag(requested_at) over (order by requested_at) as pause
        from instagram_request_log where account_key <> 'unseated' order by requested_at
    """
    counted = seen.rows("assets", query)
    short = [
        f"{row['requested_at']}: counted {row['pause']} after the one before"
        for row in counted
        if row["pause"] is not None and row["pause"].total_seconds() < 2
    ]
    missing = len(seen.instagram.pages) - len(counted)
    uncounted = [f"{missing} pages were asked for and not counted"] if missing > 0 else []
    return [*seen.instagram.breaches, *short, *uncounted]


def green_means_finished(seen: Evidence) -> list[str]:
    """At the end nothing is pending, so every cohort that has accounts is green, in both assets."""
    rows = seen.rows(
        "operation",
        f"select distinct {_ENRICHMENT} ->> 'cohort' as day from instagram_accounts where is_active",
    )
    cohorts = {row["day"] for row in rows}
    wrong = []
    for asset in ("gemini_reviews", "catalog_links"):
        green = set(seen.instance.get_materialized_partitions(dg.AssetKey(asset)))
        reviewed = cohorts if asset == "gemini_reviews" else _with_reviews(seen) & cohorts
        wrong += [f"{asset} of {day} is finished and not green" for day in sorted(reviewed - green)]
    return wrong


def spend_equals_the_ledger(seen: Evidence) -> list[str]:
    ledger = """
        select coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) as quota_day, pipeline, step,
               model, count(*) filter (where state <> 'released') as requests,
               count(*) filter (where state <> 'released' and grounded) as grounded_requests,
               coalesce(sum(cost_usd) filter (where state <> 'released'), 0) as cost_usd
        from gemini_usage_events group by 1, 2, 3, 4
    """
    kept = "select quota_day, pipeline, step, model, requests, grounded_requests, cost_usd from gemini_spend_daily"
    expected = {tuple(row.values()) for row in seen.rows("assets", ledger) if row["requests"]}
    found = {tuple(row.values()) for row in seen.rows("assets", kept) if row["requests"]}
    return [f"spend differs: {row}" for row in sorted(map(str, expected ^ found))]


def no_run_is_left_running(seen: Evidence) -> list[str]:
    open_runs = seen.instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    )
    return [f"run {run.run_id} of {run.job_name} is still {run.status.value}" for run in open_runs]


def no_reservation_is_left_open(seen: Evidence) -> list[str]:
    rows = seen.rows(
        "assets", "select subject, state from gemini_usage_events where state in ('reserved', 'sent')"
    )
    return [f"{row['subject']} is still {row['state']}" for row in rows]


def no_secret_is_told(seen: Evidence) -> list[str]:
    """No secret is in any file of Dagster's home (runs, events) or any log line of any process."""
    told = []
    for path in sorted(seen.folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            told += [f"{path.name} holds a secret" for secret in seen.secrets if secret.encode() in content]
    for where in ("assets", "operation"):
        tables = seen.rows(where, "select tablename from pg_tables where schemaname = 'public'")
        for table in tables:
            for secret in seen.secrets:
                query = f'select 1 from "{table["tablename"]}" t where to_jsonb(t)::text like %s limit 1'
                if seen.rows(where, query, f"%{secret}%"):
                    told.append(f"{where}.{table['tablename']} holds a secret")
    return told


CHECKS: Sequence[Callable[[Evidence], list[str]]] = (
    no_day_over_its_cap,
    every_request_is_in_the_ledger,
    no_input_is_paid_twice,
    no_account_is_reviewed_twice,
    every_account_has_one_state,
    nothing_is_left_pending,
    every_tag_is_counted,
    every_tagged_account_is_there,
    no_twin_entities,
    peoples_edits_are_kept,
    group_members_are_untouched,
    every_entity_has_its_audit_row,
    instagram_windows_hold,
    green_means_finished,
    spend_equals_the_ledger,
    no_run_is_left_running,
    no_reservation_is_left_open,
    no_secret_is_told,
)
EVERY_TICK = (
    no_day_over_its_cap,
    no_twin_entities,
    group_members_are_untouched,
    instagram_windows_hold,
    no_run_is_left_running,
)


def _edited(seen: Evidence, table: str) -> set[Any]:
    return {row_id for of, row_id, column in seen.people.wrote if of == table and column == "name_en"}


def _with_reviews(seen: Evidence) -> set[str]:
    query = f"""
        select distinct {_ENRICHMENT} ->> 'cohort' as day from instagram_accounts
        where {_ENRICHMENT} #>> '{{gemini_review,status}}' = 'reviewed'
    """
    return {row["day"] for row in seen.rows("operation", query)}
