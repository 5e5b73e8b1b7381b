-- migrate:up

-- Batches of Gemini requests. Each request of a batch has its row in gemini_usage_events, as a single one has.
set local lock_timeout = '5s';

create table if not exists public.gemini_batches (
    -- The display name at Gemini, and the only thread to a batch whose creation was not confirmed.
    name text primary key,
    content_hash text not null,
    pipeline text not null,
    step text not null,
    model text not null,
    state text not null check (state in ('reserved', 'creating', 'submitted', 'ended')),
    requests integer not null,
    run_id text,
    created_at timestamptz not null,
    lease_until timestamptz not null,
    creating_at timestamptz,
    google_name text,
    submitted_at timestamptz,
    absent_since timestamptz,
    cancel_requested_at timestamptz,
    ended_at timestamptz,
    outcome text,
    error jsonb
);
alter table public.gemini_batches enable row level security;
comment on column public.gemini_batches.content_hash is 'Of subjects, inputs and questions: one open batch about the same.';
comment on column public.gemini_batches.lease_until is 'Until then its process may send it; a batch still reserved then is given back.';
comment on column public.gemini_batches.creating_at is 'Gemini was asked to create it.';
comment on column public.gemini_batches.absent_since is 'A full list of the batches at Gemini lacked it, after time enough.';

create unique index if not exists gemini_batches_open on public.gemini_batches (content_hash) where state <> 'ended';

alter table public.gemini_usage_events add column if not exists batch_name text;
comment on column public.gemini_usage_events.batch_name is 'The batch that the request is in; such a row is not swept as a single one is.';

create or replace function public.entity_pipeline_ledger_view_2(
    -- The registry: {model: {"pool", "units" (what a request counts as; null: its searches), "held" (what counts while
    -- the searches are not known), "by_month"}}.
    models jsonb,
    of_model text,
    of_pipeline text default null,
    of_domain text default null,
    of_step text default null,
    of_subject text default null,
    of_kind text default null,
    of_config_hash text default null,
    -- The paid reply that the subject already holds.
    consumed text default null,
    out read_at timestamptz,
    out today date,
    out has_limits boolean,
    out limits_are_on boolean,
    out limits jsonb,
    out billed_as text,
    out units_in_period bigint,
    out units_today bigint,
    out reserved_today bigint,
    out spent_usd numeric,
    -- Null unless the row limits the month.
    out month_spent_usd numeric,
    out domain_spent_usd numeric,
    out held_until timestamptz,
    out requests_last_minute bigint,
    out minute_began_at timestamptz,
    out claimed_at timestamptz,
    out unused_reply public.gemini_usage_events.id%type
)
    language plpgsql stable
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $function$
declare
    pool jsonb;
    units_of_request integer;
    held_units integer;
    models_of_other_pools text[];
    ungrounded_usd numeric;
    ungrounded_of_domain_usd numeric;
    before_today bigint;
    others_today bigint;
    others_before bigint;
    known_ungrounded text[];
    first_of_month date;
    grounded_before_usd numeric;
    ungrounded_before_usd numeric;
begin
    -- Read once, and not now(): a transaction that waited for the lock would go by the time it began.
    read_at := clock_timestamp();
    today := (read_at at time zone 'America/Los_Angeles')::date;
    first_of_month := date_trunc('month', today)::date;

    select true, is_enabled, settings::jsonb
    into has_limits, limits_are_on, limits
    from pipeline_settings
    where platform = 'gemini';
    has_limits := coalesce(has_limits, false);

    known_ungrounded := array(select jsonb_array_elements_text(
        case when jsonb_typeof(limits -> 'ungrounded_pipelines') = 'array' then limits -> 'ungrounded_pipelines'
             else '[]' end));

    select billed_model
    into billed_as
    from gemini_usage_events
    where model = of_model and billed_model is not null
    order by created_at desc
    limit 1;

    pool := coalesce(models -> billed_as, models -> of_model);
    units_of_request := (pool ->> 'units')::integer;
    held_units := (pool ->> 'held')::integer;
    models_of_other_pools := array(
        select key from jsonb_each(models) where value ->> 'pool' <> pool ->> 'pool'
    );

    -- Rows of other code may lack quota_day: their day is that of created_at. An event without a model, or with one
    -- that the registry does not know, counts in every pool.
    select coalesce(sum(coalesce(units_of_request, search_queries, held_units))
            filter (where (coalesce(billed_model, model) = any(models_of_other_pools)) is not true), 0),
        coalesce(sum(coalesce(units_of_request, search_queries, held_units))
            filter (where state = 'reserved'
                and (coalesce(billed_model, model) = any(models_of_other_pools)) is not true), 0),
        coalesce(sum(cost_usd), 0),
        coalesce(sum(cost_usd) filter (where pipeline = of_pipeline), 0)
    into units_today, reserved_today, spent_usd, domain_spent_usd
    from gemini_usage_events
    where grounded and state <> 'released'
        and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) = today;

    -- Rows of other code whose `grounded` is the column's default.
    select coalesce(sum(coalesce(units_of_request, nullif(search_queries, 0), held_units)), 0)
    into others_today
    from gemini_usage_events
    where not grounded and input_hash is null and state <> 'released'
        and (coalesce(billed_model, model) = any(models_of_other_pools)) is not true
        and coalesce(
            entity_pipeline_says_grounded(model, search_queries, tool_tokens, metadata),
            (pipeline = any(known_ungrounded)) is not true)
        and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) = today;
    units_today := units_today + others_today;

    units_in_period := units_today;
    if (pool ->> 'by_month')::boolean then
        select coalesce(sum(coalesce(units_of_request, search_queries, held_units)), 0)
        into before_today
        from gemini_usage_events
        where grounded and state <> 'released'
            and (coalesce(billed_model, model) = any(models_of_other_pools)) is not true
            and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)
                between first_of_month and today - 1;
        select coalesce(sum(coalesce(units_of_request, nullif(search_queries, 0), held_units)), 0)
        into others_before
        from gemini_usage_events
        where not grounded and input_hash is null and state <> 'released'
            and (coalesce(billed_model, model) = any(models_of_other_pools)) is not true
            and coalesce(
                entity_pipeline_says_grounded(model, search_queries, tool_tokens, metadata),
                (pipeline = any(known_ungrounded)) is not true)
            and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)
                between first_of_month and today - 1;
        units_in_period := units_today + before_today + others_before;
    end if;

    select coalesce(sum(cost_usd), 0), coalesce(sum(cost_usd) filter (where pipeline = of_pipeline), 0)
    into ungrounded_usd, ungrounded_of_domain_usd
    from gemini_usage_events
    where not grounded and state <> 'released'
        and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) = today;
    spent_usd := spent_usd + ungrounded_usd;
    domain_spent_usd := domain_spent_usd + ungrounded_of_domain_usd;

    if limits ->> 'monthly_spend_usd' is not null then
        select coalesce(sum(cost_usd), 0)
        into grounded_before_usd
        from gemini_usage_events
        where grounded and state <> 'released'
            and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)
                between first_of_month and today - 1;
        select coalesce(sum(cost_usd), 0)
        into ungrounded_before_usd
        from gemini_usage_events
        where not grounded and state <> 'released'
            and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)
                between first_of_month and today - 1;
        month_spent_usd := spent_usd + grounded_before_usd + ungrounded_before_usd;
    end if;

    select max(blocked_until)
    into held_until
    from gemini_usage_events
    where blocked_until > read_at and (coalesce(billed_model, model) = any(models_of_other_pools)) is not true;

    -- All requests of a batch leave as one.
    select count(*) filter (where batch_name is null) + count(distinct batch_name), min(created_at)
    into requests_last_minute, minute_began_at
    from gemini_usage_events
    where state <> 'released' and created_at > read_at - interval '60 seconds';

    -- What can be no id of this table says nothing about what the subject holds.
    consumed := entity_pipeline_ledger_id(consumed);
    select max(state_changed_at) filter (where state in ('reserved', 'sent')),
        (array_agg(id order by created_at desc) filter (
            where state = 'settled' and reply is not null
                and metadata ->> 'kind' = of_kind and metadata ->> 'config_hash' = of_config_hash
                and (consumed is null
                     or created_at > (select held.created_at from gemini_usage_events held
                                      where held.id = entity_pipeline_ledger_id(consumed)))
        ))[1]
    into claimed_at, unused_reply
    from gemini_usage_events
    where pipeline = of_pipeline and step = of_step and subject = of_subject;
end
$function$;

-- migrate:down
