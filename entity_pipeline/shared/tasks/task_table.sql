create table if not exists public.{table} (
    id bigint generated always as identity primary key,
    task_type text collate "C" not null,
    task_key text collate "C" not null,
    status text collate "C" not null default 'pending' check (status in ('pending', 'running', 'done', 'failed')),
    priority smallint not null check (priority between 1 and 10),
    payload jsonb not null default '{}',
    steps jsonb not null default '{}',
    attempts integer not null default 0 check (attempts >= 0),
    max_attempts integer not null check (max_attempts > 0),
    is_begun boolean not null default false,
    losses integer not null default 0,
    fence bigint not null default 0,
    lease_owner text,
    lease_until timestamptz,
    batch_key text,
    outcome text,
    error_message text,
    next_retry_at timestamptz,
    deferred_until timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    due_at timestamptz not null generated always as (coalesce(deferred_until, next_retry_at, created_at)) stored,
    started_at timestamptz,
    completed_at timestamptz,
    check ((lease_owner is null) = (lease_until is null)),
    check ((status = 'running') = (lease_owner is not null or (batch_key is not null and completed_at is null)))
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01);
alter table public.{table} enable row level security;
comment on column public.{table}.task_key is 'what the task is about; unique by type while it is pending or running';
comment on column public.{table}.fence is 'grows with every claim; a write under an older one is refused';
comment on column public.{table}.is_begun is 'its worker has begun it; a worker that is lost before says nothing about the task';
comment on column public.{table}.losses is 'how often its lease ran out because its worker was gone while it did the task';
comment on column public.{table}.batch_key is 'the outside job that it waits for, or that answered it';
comment on column public.{table}.deferred_until is 'put off before anything was sent, which is not an attempt';

create unique index if not exists {table}_open
    on public.{table} (task_type, task_key) where status in ('pending', 'running');
create index if not exists {table}_due on public.{table} (task_type, priority, due_at, id) where status = 'pending';
create index if not exists {table}_leased on public.{table} (lease_owner) where lease_owner is not null;
create index if not exists {table}_batch on public.{table} (batch_key) where status = 'running';
create index if not exists {table}_listed on public.{table} (status, task_type, (-id));
