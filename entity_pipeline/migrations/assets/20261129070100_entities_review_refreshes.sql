-- migrate:up

-- One row per refresh: finished reviews that a person had made again. One that was interrupted goes on, and does not pay
-- again for what it has asked.
set local lock_timeout = '5s';
create table if not exists public.review_refreshes (
    name text primary key,
    scope text not null check (scope in ('failed', 'stale', 'all')),
    cohorts text[] not null default '{}',
    started_at timestamptz not null,
    started_by text not null,
    finished_at timestamptz
);
alter table public.review_refreshes enable row level security;
comment on column public.review_refreshes.cohorts is 'empty: every cohort';
comment on column public.review_refreshes.finished_at is 'null while accounts are left to ask';

-- migrate:down
