-- An assets database as it may have grown in production: other types, other people's rows, columns of other
-- pipelines, a history that is not ours.
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
insert into supabase_migrations.schema_migrations values
    ('20250311090000', array['create table raw_posts ()'], 'collector'),
    ('20270101000000', array['select 1'], 'a migration newer than ours');

create type pipeline_status as enum ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED', 'VERIFIED', 'ERROR');
create table raw_post_sources (
    id uuid primary key default gen_random_uuid(), platform text, source_type text, source_identifier text,
    unique (platform, source_type, source_identifier)
);
create table raw_posts (
    id uuid primary key default gen_random_uuid(), source_id uuid references raw_post_sources, platform text,
    external_id text, caption text, platform_metadata jsonb, status pipeline_status default 'NOT_STARTED',
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
    unique (platform, external_id)
);
insert into raw_posts (platform, external_id, platform_metadata)
values ('instagram', 'p1', '{"tagged_usernames": ["Some.Body"]}'), ('instagram', 'p2', null);

create table pipeline_settings (
    platform text primary key, is_enabled boolean not null default true, settings jsonb, updated_at timestamptz,
    updated_by uuid
);
insert into pipeline_settings values ('pinterest', true, '{"depth": 3}', '2026-01-01', gen_random_uuid());

create table gemini_usage_events (
    id uuid primary key default gen_random_uuid(), created_at timestamptz not null default now(), pipeline text,
    step text, model text, prompt_tokens bigint, output_tokens bigint, cost_usd double precision, metadata jsonb
);
insert into gemini_usage_events (created_at, pipeline, step, model, prompt_tokens, cost_usd, metadata)
select '2025-06-01 12:00+00', 'captions', 'describe', 'gemini-2.5-flash', n, 0.001, '{"note": "theirs"}'
from generate_series(1, 50) as n;

create table gemini_spend_daily (
    day date, pipeline text, model text, cost_usd numeric, primary key (day, pipeline, model)
);
insert into gemini_spend_daily values ('2025-06-01', 'captions', 'gemini-2.5-flash', 0.05);
