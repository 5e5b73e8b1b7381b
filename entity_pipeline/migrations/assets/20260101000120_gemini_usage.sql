-- migrate:up

-- The ledger of every Gemini request and its roll-up by day. Other pipelines write to both tables, so an
-- existing table only gains columns, each with a default under which their rows and writes stay valid.
set local lock_timeout = '5s';

do $$
begin
    if to_regclass('public.gemini_usage_events') is null then
        create table public.gemini_usage_events (
            id uuid primary key default gen_random_uuid(),
            created_at timestamptz not null default now(),
            pipeline text not null,
            step text not null,
            model text not null
        );
        alter table public.gemini_usage_events enable row level security;
    end if;

    if to_regclass('public.gemini_spend_daily') is null then
        create table public.gemini_spend_daily (
            quota_day date not null,
            pipeline text not null,
            step text not null,
            model text not null,
            primary key (quota_day, pipeline, step, model)
        );
        alter table public.gemini_spend_daily enable row level security;
    end if;
end
$$;

alter table public.gemini_usage_events
    add column if not exists created_at timestamptz not null default now(),
    add column if not exists pipeline text,
    add column if not exists step text,
    add column if not exists model text,
    add column if not exists model_version text,
    add column if not exists grounded boolean not null default false,
    add column if not exists state text not null default 'settled'
        constraint entity_pipeline_usage_state
        check (state in ('reserved', 'sent', 'settled', 'failed', 'unknown', 'released')),
    add column if not exists search_queries integer,
    add column if not exists prompt_tokens integer,
    add column if not exists cached_tokens integer,
    add column if not exists output_tokens integer,
    add column if not exists thoughts_tokens integer,
    add column if not exists tool_tokens integer,
    add column if not exists cost_usd numeric(12, 6),
    add column if not exists latency_ms integer,
    add column if not exists subject text,
    add column if not exists input_hash text,
    add column if not exists attempt integer,
    add column if not exists reply jsonb,
    add column if not exists error jsonb,
    add column if not exists metadata jsonb not null default '{}',
    add column if not exists state_changed_at timestamptz not null default now(),
    add column if not exists blocked_until timestamptz;

do $$
begin
    if not exists (select from pg_attribute
                   where attrelid = 'public.gemini_usage_events'::regclass
                     and attname = 'quota_day' and not attisdropped) then
        -- In two steps: a default given while adding would book every old row on today's quota.
        alter table public.gemini_usage_events add column quota_day date;
        alter table public.gemini_usage_events alter column quota_day
            set default (now() at time zone 'America/Los_Angeles')::date;
    end if;
end
$$;

alter table public.gemini_spend_daily
    add column if not exists quota_day date,
    add column if not exists pipeline text,
    add column if not exists step text,
    add column if not exists model text,
    add column if not exists requests integer not null default 0,
    add column if not exists grounded_requests integer not null default 0,
    add column if not exists search_queries integer not null default 0,
    add column if not exists prompt_tokens bigint not null default 0,
    add column if not exists cached_tokens bigint not null default 0,
    add column if not exists output_tokens bigint not null default 0,
    add column if not exists thoughts_tokens bigint not null default 0,
    add column if not exists tool_tokens bigint not null default 0,
    add column if not exists cost_usd numeric(14, 6) not null default 0,
    add column if not exists updated_at timestamptz not null default now();

-- The roll-up upserts on this key. Rows kept in another shape have an empty quota_day, which never collides.
do $$
begin
    if not exists (
        select
        from pg_index i
        where i.indrelid = 'public.gemini_spend_daily'::regclass
          and i.indisunique and i.indisvalid and i.indpred is null
          and (select array_agg(a.attname::text order by a.attname)
               from pg_attribute a
               where a.attrelid = i.indrelid and a.attnum = any (i.indkey::smallint[]))
              = array['model', 'pipeline', 'quota_day', 'step']
    ) then
        create unique index entity_pipeline_spend_daily_key
            on public.gemini_spend_daily (quota_day, pipeline, step, model);
    end if;
end
$$;

-- migrate:down
