-- migrate:up
-- The Instagram governor: routes (how we get out), pool accounts (who we are), and the ledger of requests.
-- Secrets (proxy addresses, session cookies) are MultiFernet texts; their keys are never in the database.

create table if not exists public.instagram_routes (
    name text primary key check (name <> ''),
    proxy_secret text,
    state text not null default 'active' check (state in ('active', 'cooling', 'disabled')),
    cooling_until timestamptz,
    failures integer not null default 0,
    last_outcome text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.instagram_routes is
    'Ways out to Instagram. proxy_secret is the encrypted proxy URL, null for the direct way; failures counts those in a row.';
alter table public.instagram_routes enable row level security;

insert into public.instagram_routes (name) values ('direct') on conflict (name) do nothing;

create table if not exists public.instagram_pool_accounts (
    username text primary key check (username <> ''),
    state text not null default 'active' check (state in ('active', 'cooling', 'needs_session', 'disabled')),
    cooling_until timestamptz,
    route text not null default 'direct' references public.instagram_routes (name),
    session_secret text,
    lease_owner text,
    lease_expires_at timestamptz,
    fence bigint not null default 0,
    last_leased_at timestamptz,
    last_outcome text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.instagram_pool_accounts is
    'Accounts of the operator. A lease is good only with its fence: a late holder of an older fence changes nothing.';
alter table public.instagram_pool_accounts enable row level security;

create table if not exists public.instagram_request_log (
    id uuid primary key default gen_random_uuid(),
    account_key text not null,
    route text not null,
    host text not null,
    requested_at timestamptz not null,
    username text,
    outcome text
);
comment on table public.instagram_request_log is
    'One row a request, written before it is sent, so that a crash can''t exceed a window. account_key is session:<name> or anonymous:direct.';
alter table public.instagram_request_log enable row level security;

create index if not exists instagram_request_log_account_window
    on public.instagram_request_log (account_key, requested_at desc) include (id);
create index if not exists instagram_request_log_route_window
    on public.instagram_request_log (route, requested_at desc) include (id);

-- migrate:down
