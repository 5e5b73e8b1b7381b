"""The accounts that a run works on, read from `instagram_accounts` itself: the rule of `logic/standing.py` in SQL, and
the progress of cohorts. Nothing here writes; planners use `accounts/backlog.py` instead.

People edit the metadata too: a cohort, count or time that can't be read counts as absent and does not fail a query.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import class_row, dict_row

from entity_pipeline.core.clock import utc_text
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.domains.entities.accounts.logic.standing import EXCLUDED_BEFORE
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import USABLE

# An account that no run has adopted yet has the day of its created_at as cohort; all are within the partitions. A day
# beyond the end of its month moves into the next, where a cast would fail.
_COHORT_TEXT = "(metadata #>> '{entity_enrichment,cohort}')"
_IS_DAY = f"{_COHORT_TEXT} ~ '^20[0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'"
COHORT = f"""
least(greatest(
  case when {_IS_DAY}
    then (left({_COHORT_TEXT}, 8) || '01')::date + right({_COHORT_TEXT}, 2)::int - 1
    else (created_at at time zone 'UTC')::date end,
  %(first_day)s::date), %(last_day)s::date)
"""
_POSTS = """
coalesce(case when jsonb_typeof(metadata #> '{entity_enrichment,tagging,posts}') = 'number'
  then least(greatest((metadata #>> '{entity_enrichment,tagging,posts}')::numeric, 0), 1000000000)::int end, 0)
"""
_NOT_DUE = """
(({stage} ->> 'next_attempt_at' ~ '^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T'
  and {stage} ->> 'next_attempt_at' collate "C" > %(now)s) is true)
"""

_REVIEW = "(metadata #> '{entity_enrichment,gemini_review}')"
_REVIEW_STATUS = f"coalesce({_REVIEW} ->> 'status', 'pending')"
REVIEW_PENDING = f"(is_active and {USABLE} and {_REVIEW_STATUS} not in ('reviewed', 'failed'))"
_PROFILE = "(metadata #> '{entity_enrichment,profile_backfill}')"
_PROFILE_PENDING = (
    f"(is_active and {USABLE} and coalesce({_PROFILE} ->> 'status', 'pending') in ('pending', 'deferred'))"
)
REVIEW_DUE = f"({REVIEW_PENDING} and not {_NOT_DUE.format(stage=_REVIEW)})"
PROFILE_DUE = f"({_PROFILE_PENDING} and not {_NOT_DUE.format(stage=_PROFILE)})"
_INSTANT = "'^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T'"
# When the profile was last looked at; the indexable text of `standing`.
_PROFILE_SEEN = f"""case when {_PROFILE} ->> 'status' = 'found' and is_active and {USABLE} then coalesce(
  case when {_PROFILE} ->> 'looked_at' ~ {_INSTANT} then left({_PROFILE} ->> 'looked_at', 40) end,
  case when {_PROFILE} ->> 'fetched_at' ~ {_INSTANT} then left({_PROFILE} ->> 'fetched_at', 40) end) end collate "C"
"""
_LINK = "(metadata #> '{entity_enrichment,catalog_link}')"
# A renewed review, a later picture or an outdated form requires a new decision, unless a person undid the last one.
UNDECIDED = f"""
({_REVIEW_STATUS} = 'reviewed' and ({_LINK} ->> 'status' is null or ({_LINK} ->> 'status' <> 'undone'
  and ({_LINK} ->> 'reviewed_at' is distinct from {_REVIEW} ->> 'reviewed_at'
    or ({_LINK} ->> 'status' = 'held' and {_LINK} -> 'reasons' is not distinct from '{json.dumps(EXCLUDED_BEFORE)}')
    or ({_LINK} ? 'picture' and {_LINK} ->> 'picture' is distinct from {_PROFILE} #>> '{{image,sha256}}')))))
"""
# The first line uses the indexes entity_pipeline_accounts_cohort and entity_pipeline_accounts_odd_cohort, the second
# filters exactly. All texts that count as days have one form, so that their order as text is that of days.
_IN_COHORTS = f"""
(({_COHORT_TEXT} between %(from_text)s and %(to_text)s or ({_IS_DAY}) is not true)
  and {COHORT} between %(start)s::date and %(end)s::date)
"""


@dataclass(frozen=True, slots=True)
class CohortRange:
    """Cohorts from `start` to `end`, both included, under the partitions that exist now."""

    start: date
    end: date
    first_day: date
    last_day: date

    def parameters(self) -> dict[str, Any]:
        """Query parameters shared by every statement here."""
        return {
            "start": self.start,
            "end": self.end,
            "first_day": self.first_day,
            "last_day": self.last_day,
            # The first and the last cohort also hold the days beyond them.
            "from_text": "2000-01-01" if self.start <= self.first_day else _first_text(self.start),
            "to_text": "2099-12-31" if self.end >= self.last_day else str(self.end),
        }


@dataclass(frozen=True, slots=True)
class CohortProgress:
    """The progress of a cohort; `undecided` are reviewed accounts without a link decision."""

    cohort: date
    accounts: int
    reviews_pending: int
    reviews_due: int
    undecided: int


def _first_text(start: date) -> str:
    """The smallest text that may denote `start`: a 30 February counts as 2 March."""
    if start.day > 3:
        return start.isoformat()
    return f"{start.replace(day=1) - timedelta(days=1):%Y-%m}-29"


def pending_profiles(connection: Connection, cohorts: CohortRange, now: datetime, limit: int) -> list[UUID]:
    """Accounts whose profile may be fetched now, most-tagged first."""
    return _select_ids(connection, PROFILE_DUE, cohorts, now, limit)


def aged_profiles(
    connection: Connection, cohorts: CohortRange, seen_before: datetime, limit: int
) -> list[UUID]:
    """Accounts whose profile was found and was last looked at before this moment, the oldest look first."""
    query = f"""
        select id from instagram_accounts where {_PROFILE_SEEN} < %(seen_before)s and {_IN_COHORTS}
        order by {_PROFILE_SEEN}, username limit %(limit)s
    """
    parameters = cohorts.parameters() | {"seen_before": utc_text(seen_before), "limit": limit}
    return [row[0] for row in connection.execute(sql.SQL(query), parameters)]


def pending_reviews(connection: Connection, cohorts: CohortRange, now: datetime, limit: int) -> list[UUID]:
    """Accounts that may be reviewed now, most-tagged first."""
    return _select_ids(connection, REVIEW_DUE, cohorts, now, limit)


def reviewed_accounts(
    connection: Connection,
    cohorts: CohortRange,
    now: datetime,
    statuses: Sequence[str] = ("reviewed", "failed"),
) -> list[UUID]:
    """Accounts whose review ended with one of `statuses`, which a refresh may repeat."""
    ended = f"is_active and {_REVIEW_STATUS} in ({', '.join(repr(status) for status in statuses)})"
    return _select_ids(connection, ended, cohorts, now, None)


def undecided_accounts(connection: Connection, cohorts: CohortRange, now: datetime) -> list[UUID]:
    """Reviewed accounts without a link decision, most-tagged first."""
    return _select_ids(connection, UNDECIDED, cohorts, now, None)


def refused_accounts(connection: Connection, cohorts: CohortRange, now: datetime) -> list[UUID]:
    """Accounts whose last decision the database refused to write, and which may be written by now."""
    refused = f"{_LINK} ->> 'status' = 'held' and {_LINK} -> 'reasons' ? 'write_refused'"
    return _select_ids(connection, refused, cohorts, now, None)


def decided_accounts(
    connection: Connection, cohorts: CohortRange, now: datetime, *, only_held: bool = False
) -> list[UUID]:
    """Reviewed accounts with a link decision that was not undone, or only the held ones, which a refresh may repeat."""
    which = "= 'held'" if only_held else "<> 'undone'"
    decided = f"{_REVIEW_STATUS} = 'reviewed' and {_LINK} ->> 'status' {which}"
    return _select_ids(connection, decided, cohorts, now, None)


def cohort_progress(connection: Connection, cohorts: CohortRange, now: datetime) -> list[CohortProgress]:
    """One row for each cohort that has accounts."""
    query = f"""
        select {COHORT} as cohort, count(*)::int as accounts,
          (count(*) filter (where {REVIEW_PENDING}))::int as reviews_pending,
          (count(*) filter (where {REVIEW_DUE}))::int as reviews_due,
          (count(*) filter (where {UNDECIDED}))::int as undecided
        from instagram_accounts where {_IN_COHORTS} group by 1 order by 1
    """
    parameters = cohorts.parameters() | {"now": now.isoformat()}
    return list(connection.cursor(row_factory=class_row(CohortProgress)).execute(sql.SQL(query), parameters))


def occupied_cohorts(connection: Connection, cohorts: CohortRange) -> list[date]:
    """Cohorts that have accounts."""
    query = f"select distinct {COHORT} from instagram_accounts where {_IN_COHORTS} order by 1"
    return [row[0] for row in connection.execute(sql.SQL(query), cohorts.parameters())]


def pending_profiles_by_cohort(connection: Connection, cohorts: CohortRange) -> dict[date, int]:
    """How many profiles have still to be looked at or are to be looked at again, by each cohort with accounts."""
    query = f"""
        select {COHORT}, (count(*) filter (where {_PROFILE_PENDING}))::int
        from instagram_accounts where {_IN_COHORTS} group by 1 order by 1
    """
    return dict(connection.execute(sql.SQL(query), cohorts.parameters()).fetchall())


def status_counts(
    connection: Connection, cohorts: CohortRange, stage: str, field: str, absent: str = "pending"
) -> dict[str, int]:
    """How many accounts of the cohorts hold each value of ``entity_enrichment.<stage>.<field>``, or none."""
    query = f"""
        select coalesce(metadata #>> array['entity_enrichment', %(stage)s, %(field)s], %(absent)s), count(*)::int
        from instagram_accounts where {_IN_COHORTS} group by 1 order by 2 desc, 1
    """
    parameters = cohorts.parameters() | {"stage": stage, "field": field, "absent": absent}
    return dict(connection.execute(sql.SQL(query), parameters).fetchall())


_SAMPLED = {
    "profile": "username, {profile} ->> 'status' as status, {profile} ->> 'outcome' as outcome, display_name, "
    "{profile} #>> '{image,url}' as picture",
    "review": "username, {review} #>> '{review,account_type}' as type, {review} #>> '{review,account_role}' as role, "
    "{review} #>> '{review,name_en}' as name_en, {review} #>> '{review,name_ko}' as name_ko, "
    "{review} ->> 'confidence' as confidence, {review} ->> 'grounded' as grounded",
    "link": "username, {link} ->> 'status' as decision, {link} ->> 'entity_table' as in_table, name_en, name_ko, "
    "{link} ->> 'reasons' as reasons",
}


def profile_samples(connection: Connection, cohorts: CohortRange) -> list[dict[str, Any]]:
    """The most-tagged accounts whose profile was fetched, for a report."""
    return _sample(connection, cohorts, _SAMPLED["profile"], f"{_PROFILE} is not null")


def review_samples(connection: Connection, cohorts: CohortRange) -> list[dict[str, Any]]:
    """The most-tagged accounts with a review, for a report."""
    return _sample(connection, cohorts, _SAMPLED["review"], f"{_REVIEW} ->> 'status' = 'reviewed'")


def link_samples(connection: Connection, cohorts: CohortRange) -> list[dict[str, Any]]:
    """The most-tagged accounts with a link decision, for a report."""
    return _sample(connection, cohorts, _SAMPLED["link"], f"{_LINK} is not null")


def _sample(
    connection: Connection, cohorts: CohortRange, columns: str, condition: str
) -> list[dict[str, Any]]:
    for name, expression in (("profile", _PROFILE), ("review", _REVIEW), ("link", _LINK)):
        columns = columns.replace(f"{{{name}}}", expression)
    query = f"""
        select {columns} from instagram_accounts where {condition} and {_IN_COHORTS}
        order by {_POSTS} desc, username limit 20
    """
    return connection.cursor(row_factory=dict_row).execute(sql.SQL(query), cohorts.parameters()).fetchall()


def held_and_sure(connection: Connection, cohorts: CohortRange, thresholds: Mapping[str, float]) -> int:
    """How many accounts of the cohorts are held as below a threshold, but reach those of `thresholds`, by type."""
    query = f"""
        select count(*)::int from instagram_accounts
        where {_LINK} ->> 'status' = 'held' and {_LINK} -> 'reasons' ? 'below_threshold'
          and jsonb_typeof({_REVIEW} -> 'confidence') = 'number'
          and ({_REVIEW} ->> 'confidence')::numeric
            >= (%(thresholds)s::jsonb ->> ({_REVIEW} #>> '{{review,account_type}}'))::numeric
          and {_IN_COHORTS}
    """
    parameters = cohorts.parameters() | {"thresholds": jsonb_text(thresholds)}
    row = connection.execute(sql.SQL(query), parameters).fetchone()
    return row[0] if row is not None else 0


def held_reasons(connection: Connection, cohorts: CohortRange) -> dict[str, int]:
    """How many accounts of the cohorts are held for each reason."""
    query = f"""
        select reason, count(*)::int
        from instagram_accounts, jsonb_array_elements_text(
          case when jsonb_typeof({_LINK} -> 'reasons') = 'array' then {_LINK} -> 'reasons' else '[]' end) reason
        where {_LINK} ->> 'status' = 'held' and {_IN_COHORTS} group by 1 order by 2 desc, 1
    """
    return dict(connection.execute(sql.SQL(query), cohorts.parameters()).fetchall())


def _select_ids(
    connection: Connection, condition: str, cohorts: CohortRange, now: datetime, limit: int | None
) -> list[UUID]:
    query = f"""
        select id from instagram_accounts where {condition} and {_IN_COHORTS}
        order by {_POSTS} desc, username limit %(limit)s
    """
    parameters = cohorts.parameters() | {"now": now.isoformat(), "limit": limit}
    return [row[0] for row in connection.execute(sql.SQL(query), parameters)]
