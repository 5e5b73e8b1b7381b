-- An assets database as Supabase keeps one: owned by a role that is no superuser, every table under row-level
-- security without a policy, the API's roles granted everything by default, other pipelines' rows and history.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
grant usage on schema public to anon, authenticated, service_role;

create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
insert into supabase_migrations.schema_migrations values
    ('20250101000000', array['create table raw_posts ()'], 'collector'),
    ('20250601000000', null, 'captions'),
    ('20270101000000', array['select 1'], 'newer_than_ours');

create function set_updated_at() returns trigger language plpgsql as
$$ begin new.updated_at = now(); return new; end $$;

create type pipeline_status as enum ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED', 'VERIFIED', 'ERROR');
create table raw_post_sources (
    id uuid primary key default gen_random_uuid(), platform text not null, source_type text not null,
    source_identifier text not null, label text, is_active boolean default true,
    fetch_interval_seconds integer default 3600, last_enqueued_at timestamptz, last_scraped_at timestamptz,
    initial_scraped_at timestamptz, metadata jsonb, created_at timestamptz default now(),
    updated_at timestamptz default now(), unique (platform, source_type, source_identifier)
);
create table raw_posts (
    id uuid primary key default gen_random_uuid(), source_id uuid references raw_post_sources,
    platform text not null, external_id text not null, external_url text, image_url text, image_hash text,
    caption text, author_name text, platform_metadata jsonb, status pipeline_status not null default 'NOT_STARTED',
    parse_status text, parse_result jsonb, parse_error text, parse_attempts integer default 0, verified_at timestamptz,
    verified_by uuid, dispatch_id text, created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(), unique (platform, external_id)
);
create view posts_to_verify as select id, caption, created_at from raw_posts where status = 'COMPLETED';
insert into raw_post_sources (platform, source_type, source_identifier, label, metadata)
values ('instagram', 'account', 'a.magazine', 'A magazine', '{"owner": "Kim"}'), ('pinterest', 'board', '1', null, null);
insert into raw_posts (source_id, platform, external_id, caption, author_name, platform_metadata, status, created_at,
    updated_at)
select s.id, s.platform, 'old-' || n, 'Caption ' || n, case when n % 3 = 0 then 'Somebody' end,
    case n % 7 when 0 then null when 1 then '{}' when 2 then '{"tagged_usernames": null}'
        when 3 then '{"tagged_usernames": "prada"}' when 4 then '{"tagged_usernames": [null, 7, "Old.Tag"]}'
        else jsonb_build_object('tagged_usernames', array['@Old.Tag', 'tag' || n % 500], 'likes', n) end,
    case when n % 5 = 0 then 'VERIFIED' else 'COMPLETED' end::pipeline_status,
    '2025-03-01'::timestamptz + n * interval '7 minutes', '2025-03-01'::timestamptz + n * interval '7 minutes'
from generate_series(1, 20000) as n cross join (select * from raw_post_sources where platform = 'instagram') as s;
create trigger set_updated_at before update on raw_posts for each row execute function set_updated_at();

create table pipeline_settings (
    platform text primary key, is_enabled boolean not null default true, settings jsonb,
    updated_at timestamptz default now(), updated_by uuid
);
insert into pipeline_settings values
    ('pinterest', true, '{"depth": 3}', '2026-01-01', gen_random_uuid()), ('captions', false, null, null, null);

create table gemini_usage_events (
    id bigint generated always as identity primary key, created_at timestamptz not null default now(), pipeline text,
    step text, model text not null, prompt_tokens bigint, output_tokens bigint, total_tokens bigint,
    cost_usd double precision, user_id uuid, metadata jsonb
);
insert into gemini_usage_events (created_at, pipeline, step, model, prompt_tokens, output_tokens, cost_usd, metadata)
select '2025-06-01'::timestamptz + n * interval '3 minutes', case when n % 10 > 0 then 'captions' end, 'describe',
    'gemini-2.5-flash', n, n % 50, n * 0.000001, '{"note": "theirs"}'
from generate_series(1, 20000) as n;

create table gemini_spend_daily (
    day date, pipeline text, model text, cost_usd numeric, calls integer, primary key (day, pipeline, model)
);
insert into gemini_spend_daily values ('2025-06-01', 'captions', 'gemini-2.5-flash', 0.05, 480);

do $$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'public' loop
        execute format('alter table public.%I enable row level security', name);
    end loop;
end
$$;
analyze;
