-- migrate:up

-- The statements of a request for `resources/gemini/ledger_sql.py`, second version: they read the limits from the row
-- `gemini` of pipeline_settings themselves, book a request on the model that is billed for it, and keep what was sent.
-- The functions without `_2` stay for processes of the release before. All run with the caller's rights.
drop function if exists public.entity_pipeline_ledger(
    integer, integer, boolean, text[], text, text, text, text, text, uuid
);

-- What the ledger holds for one request that wants to go out; the decision is made in Python. One snapshot.
-- The settings hold for the function alone: a plan is kept whatever its parameters are, and one that was made while
-- the table was empty does not read all of it later.
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

    units_in_period := units_today;
    if (pool ->> 'by_month')::boolean then
        select coalesce(sum(coalesce(units_of_request, search_queries, held_units)), 0)
        into before_today
        from gemini_usage_events
        where grounded and state <> 'released'
            and (coalesce(billed_model, model) = any(models_of_other_pools)) is not true
            and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)
                between first_of_month and today - 1;
        units_in_period := units_today + before_today;
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

    select count(*), min(created_at)
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

-- A place that `admit` gave. Under the lock and in the transaction in which the ledger was read.
create or replace function public.entity_pipeline_ledger_reserve_2(
    read_at timestamptz,
    today date,
    of_pipeline text,
    of_step text,
    of_kind text,
    of_subject text,
    of_model text,
    billed_as text,
    is_grounded boolean,
    of_input text,
    of_config text,
    nth_attempt integer,
    most_usd numeric,
    of_run text,
    of_claim text,
    out place public.gemini_usage_events.id%type
)
    language plpgsql
as $function$
begin
    insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, billed_model, grounded, state,
        quota_day, subject, input_hash, attempt, cost_usd, metadata)
    values (read_at, read_at, of_pipeline, of_step, of_model, billed_as, is_grounded, 'reserved',
        today, of_subject, of_input, nth_attempt, most_usd,
        jsonb_build_object('kind', of_kind, 'config_hash', of_config, 'run_id', of_run, 'claim', of_claim))
    returning id into place;
end
$function$;

-- Whether the request may leave, and what it is. A reservation of yesterday is worth nothing today: it is given back,
-- and asked for again.
create or replace function public.entity_pipeline_ledger_mark_sent_2(
    place public.gemini_usage_events.id%type,
    stale_after_s integer,
    what jsonb
)
    returns boolean
    language plpgsql
as $function$
begin
    update gemini_usage_events
    set state = 'sent', state_changed_at = clock_timestamp(), request = what
    where id = place and state in ('reserved', 'sent')
        and quota_day = (clock_timestamp() at time zone 'America/Los_Angeles')::date
        and state_changed_at > clock_timestamp() - stale_after_s * interval '1 second';
    return found;
end
$function$;

-- The reply is kept. What the columns can't hold fails when it is written.
create or replace function public.entity_pipeline_ledger_settle_2(
    place public.gemini_usage_events.id%type,
    kept jsonb,
    answered_by text,
    billed_as text,
    searches bigint,
    prompt bigint,
    cached bigint,
    output bigint,
    thoughts bigint,
    tool bigint,
    paid_usd numeric,
    took_ms bigint
)
    returns void
    language plpgsql
as $function$
begin
    update gemini_usage_events
    set state = 'settled', state_changed_at = clock_timestamp(), reply = kept, error = null,
        model_version = answered_by, billed_model = billed_as, search_queries = searches, prompt_tokens = prompt,
        cached_tokens = cached, output_tokens = output, thoughts_tokens = thoughts, tool_tokens = tool,
        cost_usd = paid_usd, latency_ms = took_ms
    where id = place and state in ('sent', 'unknown');
end
$function$;

-- migrate:down
