-- migrate:up

-- One narrow row per account of the operation database: what planners look up, and what lists filter, sort and count
-- by. The accounts decide; this only follows them. Our stages bring it up to date as they write, a sweep finds what
-- others wrote, and a daily comparison finds the rest (docs/decisions/0012-operation-holds-no-table-of-ours.md).
set local lock_timeout = '5s';

-- Every row has the columns of fixed width, so they come first: that makes reading all of it a third faster.
create table if not exists public.enrichment_queue (
    account_id uuid primary key,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    cohort date not null,
    posts integer not null,
    state text collate "C" not null,
    account_type text collate "C",
    account_role text collate "C",
    region text collate "C",
    reasons text[] not null,
    handle text collate "C" not null,
    name_en text collate "C",
    name_ko text collate "C",
    next_attempt text collate "C",
    profile_next text collate "C"
);
-- Where both databases are one, the table is there already, in its former shape.
alter table public.enrichment_queue
    add column if not exists waits_for_picture boolean not null default false,
    add column if not exists seen_at timestamptz not null default '-infinity';
alter table public.enrichment_queue enable row level security;
comment on column public.enrichment_queue.changed_at is 'updated_at of the account as it was read';
comment on column public.enrichment_queue.seen_at is
    'when the account was read, by the clock of the operation database: an older reading never replaces a newer one';

-- The orders of the list; each ends in the key, so that no two rows are equal.
create index if not exists enrichment_queue_most_tagged on public.enrichment_queue ((-posts), handle, account_id);
create index if not exists enrichment_queue_state on public.enrichment_queue (state, (-posts), handle, account_id);
create index if not exists enrichment_queue_oldest on public.enrichment_queue (created_at, account_id);
create index if not exists enrichment_queue_newest_change on public.enrichment_queue (changed_at, account_id);
create index if not exists enrichment_queue_username on public.enrichment_queue (handle, account_id);
-- The newest changes are mostly accounts that have no review yet.
create index if not exists enrichment_queue_typed_newest_change
    on public.enrichment_queue (changed_at, account_id) where account_type is not null;
-- Filters that are common each and seldom true together. Accounts that only wait are left out: most are such.
create index if not exists enrichment_queue_facets
    on public.enrichment_queue (state, account_type, account_role, region)
    where state <> 'pending' or account_type is not null or account_role is not null or region is not null;
-- What is rare enough to be looked up.
create index if not exists enrichment_queue_name_en on public.enrichment_queue (name_en) where name_en is not null;
create index if not exists enrichment_queue_name_ko on public.enrichment_queue (name_ko) where name_ko is not null;
create index if not exists enrichment_queue_cohort on public.enrichment_queue (cohort);
create index if not exists enrichment_queue_type
    on public.enrichment_queue (account_type) where account_type is not null;
create index if not exists enrichment_queue_role
    on public.enrichment_queue (account_role) where account_role is not null;
create index if not exists enrichment_queue_region on public.enrichment_queue (region) where region is not null;
create index if not exists enrichment_queue_reasons
    on public.enrichment_queue using gin (reasons) where reasons <> '{}';
create index if not exists enrichment_queue_late_profiles
    on public.enrichment_queue ((-posts), handle, account_id) where profile_next is not null and state <> 'pending';
-- Types, roles and states go together: their shares can't simply be multiplied.
create statistics if not exists enrichment_queue_facets (mcv, dependencies)
    on state, account_type, account_role, region from public.enrichment_queue;

-- How far the list has followed the accounts, in one row. Every time is of the clock of the operation database.
create table if not exists public.enrichment_queue_sweep (
    is_the_row boolean primary key default true check (is_the_row),
    settled_at timestamptz not null default '1970-01-01 00:00:00+00',
    as_of timestamptz,
    pass_began_at timestamptz,
    pass_settles_at timestamptz,
    walked_at timestamptz,
    walked_id uuid,
    compared_at timestamptz,
    comparison_began_at timestamptz,
    compared_id uuid
);
alter table public.enrichment_queue_sweep enable row level security;
comment on column public.enrichment_queue_sweep.settled_at is 'the next pass looks at accounts changed since then';
comment on column public.enrichment_queue_sweep.as_of is 'all that was committed by then is in the list';
comment on column public.enrichment_queue_sweep.walked_at is 'where a pass under way goes on, with walked_id';
comment on column public.enrichment_queue_sweep.compared_at is 'when the last comparison of every account began';
comment on column public.enrichment_queue_sweep.compared_id is 'where a comparison under way goes on';
insert into public.enrichment_queue_sweep default values on conflict do nothing;

-- Which state of a day of tagged_usernames (tagged_days.changed_at) the accounts hold, and how many accounts its cohort
-- had then: a day of which both are the same is not taken in again.
create table if not exists public.intake_days (
    day date primary key,
    changed_at timestamptz not null,
    accounts integer not null
);
alter table public.intake_days enable row level security;

-- migrate:down
