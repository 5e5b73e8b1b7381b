"""Every SQL statement of a queue. `{table}` is the domain's table; no decision of `rules.py` is made here.

Each is one statement, so it needs no session and works through a transaction pooler. The clock is the database's: the
clock of a worker's machine decides nothing. Several rows are locked in the order of their ids. They are made for READ
COMMITTED; where a server defaults to a stricter level, a lost race is an error that may be repeated, never a second
claim.
"""

from dataclasses import fields
from string import Template

from entity_pipeline.shared.tasks.rules import FIRST_PRIORITY, LAST_PRIORITY, Task

_COLUMNS = ", ".join(field.name for field in fields(Task))
_PRIORITIES = f"generate_series({FIRST_PRIORITY}, {LAST_PRIORITY}) as p(priority)"
_TYPES = "unnest(%(types)s::text[]) as k(task_type)"
_OPEN = "status in ('pending', 'running')"

# Sorted, so that callers with the same keys wait for each other in one order. What was asked for first is due first.
CREATE = f"""
insert into {{table}} (task_type, task_key, priority, payload, max_attempts, created_at)
select task_type, task_key, priority, payload::jsonb, max_attempts,
  at - (cardinality(%(keys)s::text[]) - nth) * interval '1 microsecond'
from unnest(%(types)s::text[], %(keys)s::text[], %(priorities)s::smallint[], %(payloads)s::text[],
    %(max_attempts)s::integer[]) with ordinality as asked(task_type, task_key, priority, payload, max_attempts, nth),
  (select clock_timestamp() as at) as clock
order by task_type collate "C", task_key collate "C"
on conflict (task_type, task_key) where {_OPEN} do nothing
returning task_type, task_key, id
"""

# One task, within a `FencedTrip`.
CREATE_FENCED = """
insert into {table} (task_type, task_key, priority, payload, max_attempts)
select %(task_type)s, %(key)s, %(priority)s, %(payload)s::jsonb, %(max_attempts)s where {held}
on conflict (task_type, task_key) where status in ('pending', 'running') do nothing
"""

FIND_OPEN = f"""
with asked as (
  select * from unnest(%(types)s::text[], %(keys)s::text[], %(priorities)s::smallint[])
    as a(task_type, task_key, priority)
), less_urgent as (
  select t.id, a.priority from asked a join {{table}} t using (task_type, task_key)
  where t.status = 'pending' and t.priority > a.priority
  order by t.id for update of t
), raised as (
  update {{table}} t set priority = u.priority from less_urgent u where t.id = u.id
)
select task_type, task_key, t.id from asked join {{table}} t using (task_type, task_key) where t.{_OPEN}
"""

# How many tasks that others are taking at this moment a claim passes over; with more of them it gets fewer.
_PASSED_OVER = 200

# The beginning of a claim: the clock, what the same claim holds already, and how many places are left for others.
_CLAIM = """with clock as materialized (select clock_timestamp() as at),
held as (select id from {table} where lease_owner = %(claim)s),
places as (select case when exists (select from held) then 0 else %(most)s end as n)"""
# The end of a claim: locks and takes the first of `candidates`; returns them with what the same claim holds already.
_CLAIMED = f"""picked as (
  select free.id, candidates.nth from candidates, lateral (
    select id from {{table}}
    where id = candidates.id and case status when 'pending' then due_at <= (select at from clock) end
    for update skip locked
  ) free
  limit (select n from places)
), claimed as (
  update {{table}} t
  set status = 'running', lease_owner = %(claim)s, lease_until = (select at from clock) + %(lease)s, fence = fence + 1,
    attempts = attempts + 1, is_begun = false, started_at = (select at from clock), next_retry_at = null,
    deferred_until = null
  from picked where t.id = picked.id
  returning picked.nth, t.*
)
select {_COLUMNS} from (
  select nth, {_COLUMNS} from claimed
  union all
  select 0, {_COLUMNS} from {{table}} where id in (select id from held)
) as all_of_them order by nth, id
"""

# Candidates are looked at without a lock and then locked one by one in their order, until the places are full: a task
# that is locked is taken. Tasks that are not due yet are never stepped over, because within a type and a priority the
# index is in the order of `due_at`. Both rely on nested loops whose inner side refers to the outer one, so a lower
# priority is looked at only when there are too few candidates. `case` keeps the planner from a second index.
CLAIM = f"""
{_CLAIM},
oldest as (
  select head.id, row_number() over (order by head.due_at, head.id) as nth
  from {_PRIORITIES}, {_TYPES}, lateral (
    select id, due_at from {{table}}
    where status = 'pending' and task_type = k.task_type and priority = p.priority
      and due_at <= (select at from clock)
    order by due_at, id limit %(oldest)s
  ) head
  order by nth limit %(oldest)s
), urgent as (
  select due.id from {_PRIORITIES}, lateral (
    select one_type.id from {_TYPES}, lateral (
      select id, due_at from {{table}}
      where status = 'pending' and task_type = k.task_type and priority = p.priority
        and due_at <= (select at from clock)
      order by due_at, id limit %(most)s + {_PASSED_OVER}
    ) one_type
    order by one_type.due_at, one_type.id limit %(most)s + {_PASSED_OVER}
  ) due
  limit %(most)s + {_PASSED_OVER}
), candidates as materialized (
  select id, min(nth) as nth from (
    select id, nth from oldest
    union all
    select id, %(oldest)s + row_number() over () from urgent
  ) both_ways
  group by id order by nth
), {_CLAIMED}
"""

# Along an index over `created_at` of open tasks, which the domain makes: the tasks of a few days cost as much as there
# are of them, however large the table is.
CLAIM_MADE = f"""
{_CLAIM},
candidates as materialized (
  select id, row_number() over () as nth from (
    select id from {{table}}
    where {_OPEN} and created_at >= %(since)s and created_at < %(until)s
      and case status when 'pending' then due_at <= (select at from clock) and task_type = any (%(types)s) end
    order by created_at limit %(most)s + {_PASSED_OVER}
  ) due
), {_CLAIMED}
"""

TAKE_BACK = f"""
with held as (select id from {{table}} where lease_owner = %(claim)s),
waiting as (
  select id from {{table}}
  where batch_key = %(batch)s and status = 'running' and coalesce(lease_until <= (select clock_timestamp()), true)
    and not exists (select from held)
  order by id limit %(most)s for update skip locked
), claimed as (
  update {{table}} t
  set lease_owner = %(claim)s, lease_until = clock_timestamp() + %(lease)s, fence = fence + 1
  from waiting where t.id = waiting.id
  returning t.*
)
select {_COLUMNS} from claimed
union all
select {_COLUMNS} from {{table}} where id in (select id from held)
order by id
"""

_WRITE = """
with ours as (
  select t.id from {table} t
  join unnest(%(ids)s::bigint[], %(fences)s::bigint[]) as o(id, fence) on t.id = o.id and t.fence = o.fence
  where t.lease_owner is not null
  order by t.id for update of t
), written as (
  update {table} t set $changes from ours where t.id = ours.id $only_if returning t.id
)
select id from written
union
select t.id from {table} t
join unnest(%(ids)s::bigint[], %(fences)s::bigint[]) as o(id, fence) on t.id = o.id and t.fence = o.fence
where $already
"""


def _write(changes: str, already: str = "false", only_if: str = "") -> str:
    """A write under a fence. `already` is how a row looks after it, for a write that is repeated."""
    return Template(_WRITE).substitute(changes=changes, already=already, only_if=only_if)


_FREE = "lease_owner = null, lease_until = null"

EXTEND = _write("lease_until = clock_timestamp() + %(lease)s")
BEGIN = _write("is_begun = true")
NOTE_STEPS = _write("steps = steps || %(steps)s::jsonb")
FINISH = _write(
    f"status = 'done', outcome = %(outcome)s, error_message = null, completed_at = clock_timestamp(), {_FREE}",
    already="status = 'done' and outcome is not distinct from %(outcome)s",
)
FAIL = _write(
    f"""status = 'failed', outcome = %(outcome)s, error_message = %(error)s, completed_at = clock_timestamp(),
    {_FREE}""",
    already="status = 'failed' and outcome = %(outcome)s",
)
RETRY = _write(
    f"""status = 'pending', error_message = %(error)s, next_retry_at = clock_timestamp() + %(wait)s, batch_key = null,
    {_FREE}""",
    already="status = 'pending' and next_retry_at is not null",
)
PUT_OFF = _write(
    f"""status = 'pending', error_message = %(error)s, deferred_until = %(until)s, batch_key = null,
    attempts = attempts - 1, {_FREE}""",
    already="status = 'pending' and deferred_until is not null",
)
# A task that was taken back from a batch waits for that batch again: pending, it would be sent a second time.
RELEASE = _write(
    f"""status = case when batch_key is null then 'pending' else status end,
    attempts = attempts - case when batch_key is null then 1 else 0 end, {_FREE}""",
    already="status in ('pending', 'running') and lease_owner is null",
)
# All or none: the batch is named after its tasks.
WAIT_FOR_BATCH = _write(
    f"batch_key = %(batch)s, {_FREE}",
    already="status = 'running' and batch_key = %(batch)s and lease_owner is null",
    only_if="and (select count(*) from ours) = cardinality(%(ids)s::bigint[])",
)

RECOVER = f"""
with lost as (
  select id, losses + is_begun::integer as times from {{table}}
  where lease_owner is not null and batch_key is null and lease_until <= (select clock_timestamp())
  order by id limit %(most)s for update skip locked
)
update {{table}} t
set losses = lost.times, attempts = attempts - 1, {_FREE},
  status = case when lost.times < %(most_losses)s then 'pending' else 'failed' end,
  outcome = case when lost.times < %(most_losses)s then outcome else %(outcome)s end,
  error_message = case when is_begun then format('The worker was lost %%s times while it did this task.', lost.times)
    else error_message end,
  completed_at = case when lost.times < %(most_losses)s then null else clock_timestamp() end
from lost where t.id = lost.id
returning {", ".join(f"t.{field.name}" for field in fields(Task))}
"""

# Both along the same index as `CLAIM_MADE`.
OPEN_BY_DAY = f"""
select (created_at at time zone 'UTC')::date, count(*) from {{table}}
where {_OPEN} and created_at >= %(since)s and created_at < %(until)s and task_type = any (%(types)s)
group by 1 order by 1
"""

SPANS_WITH_OPEN = f"""
select nth - 1
from unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) with ordinality as span(since, until, nth)
where exists (
  select from {{table}}
  where {_OPEN} and created_at >= span.since and created_at < span.until and task_type = any (%(types)s)
)
order by nth
"""

LAPSED = """
select count(*) from {table}
where lease_owner is not null and batch_key is null and lease_until <= (select clock_timestamp())
"""

COUNTS = "select task_type, status, count(*) from {table} group by 1, 2 order by 1, 2"

OLDEST_DUE = f"""
select k.task_type, min(head.due_at) from {_PRIORITIES}, {_TYPES}, lateral (
  select due_at from {{table}} where status = 'pending' and task_type = k.task_type and priority = p.priority
    and due_at <= (select clock_timestamp())
  order by due_at, id limit 1
) head
group by 1
"""

BATCHES = """
select batch_key, count(*), min(started_at) from {table} where status = 'running' and batch_key is not null
group by 1 order by 3, 1
"""

FIND = f"select {_COLUMNS} from {{table}} where id = any(%(ids)s::bigint[]) order by id"

# By `-id`, because along the primary key the planner would step over the tasks of other states.
PAGE = f"""
select page.* from unnest(%(statuses)s::text[]) as s(of_status), {_TYPES}, lateral (
  select {_COLUMNS} from {{table}} t
  where t.status = s.of_status and t.task_type = k.task_type and -t.id > - %(before)s::bigint
  order by -t.id limit %(most)s + %(offset)s
) page
order by page.id desc limit %(most)s offset %(offset)s
"""
