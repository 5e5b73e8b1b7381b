-- migrate:up

-- The four statements of a request for `resources/gemini/ledger_sql.py`, as functions for the reason that
-- `entity_pipeline_ledger` is one: PostgreSQL keeps their plans, through a transaction pooler too. That one stays for
-- processes of an earlier release. All run with the caller's rights. Ids have the type that the table's have.

-- An id that is kept as text elsewhere; null when it can be none of this table.
create or replace function public.entity_pipeline_ledger_id(kept text, out id public.gemini_usage_events.id%type)
    language plpgsql immutable
as $function$
begin
    id := kept;
exception when data_exception then
    id := null;
end
$function$;

-- What the ledger holds for one request that wants to go out; the decision is made in Python. One snapshot.
-- The settings hold for the function alone: a plan is kept whatever its parameters are, and one that was made while
-- the table was empty does not read all of it later.
create or replace function public.entity_pipeline_ledger_view(
    -- A request counts as this much, or as its searches where it is null: 1 or null.
    units_of_request integer,
    -- What counts for a request whose searches are not known yet.
    reserve_units integer,
    by_month boolean,
    models_of_other_pools text[],
    of_pipeline text default null,
    of_step text default null,
    of_subject text default null,
    of_kind text default null,
    of_config_hash text default null,
    -- The paid reply that the subject already holds.
    consumed text default null,
    out read_at timestamptz,
    out today date,
    out units_in_period bigint,
    out units_today bigint,
    out reserved_today bigint,
    out spent_usd numeric,
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
    ungrounded_usd numeric;
    units_before_today bigint;
begin
    -- Read once, and not now(): a transaction that waited for the lock would go by the time it began.
    read_at := clock_timestamp();
    today := (read_at at time zone 'America/Los_Angeles')::date;

    -- Rows of other code may lack quota_day: their day is that of created_at. An event without a model, or with one
    -- that the registry does not know, counts in every pool.
    select coalesce(sum(coalesce(units_of_request, search_queries, reserve_units))
            filter (where (model = any(models_of_other_pools)) is not true), 0),
        coalesce(sum(coalesce(units_of_request, search_queries, reserve_units))
            filter (where state = 'reserved' and (model = any(models_of_other_pools)) is not true), 0),
        coalesce(sum(cost_usd), 0)
    into units_today, reserved_today, spent_usd
    from gemini_usage_events
    where grounded and state <> 'released'
        and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) = today;

    units_in_period := units_today;
    if by_month then
        select coalesce(sum(coalesce(units_of_request, search_queries, reserve_units)), 0)
        into units_before_today
        from gemini_usage_events
        where grounded and state <> 'released' and (model = any(models_of_other_pools)) is not true
            and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)
                between date_trunc('month', today)::date and today - 1;
        units_in_period := units_today + units_before_today;
    end if;

    select coalesce(sum(cost_usd), 0)
    into ungrounded_usd
    from gemini_usage_events
    where not grounded and state <> 'released'
        and coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) = today;
    spent_usd := spent_usd + ungrounded_usd;

    select max(blocked_until)
    into held_until
    from gemini_usage_events
    where blocked_until > read_at and (model = any(models_of_other_pools)) is not true;

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
create or replace function public.entity_pipeline_ledger_reserve(
    read_at timestamptz,
    today date,
    of_pipeline text,
    of_step text,
    of_kind text,
    of_subject text,
    of_model text,
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
    insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, grounded, state, quota_day,
        subject, input_hash, attempt, cost_usd, metadata)
    values (read_at, read_at, of_pipeline, of_step, of_model, is_grounded, 'reserved', today,
        of_subject, of_input, nth_attempt, most_usd,
        jsonb_build_object('kind', of_kind, 'config_hash', of_config, 'run_id', of_run, 'claim', of_claim))
    returning id into place;
end
$function$;

-- Whether the request may leave. A reservation of yesterday is worth nothing today: it is given back, and asked for
-- again.
create or replace function public.entity_pipeline_ledger_mark_sent(
    place public.gemini_usage_events.id%type,
    stale_after_s integer
)
    returns boolean
    language plpgsql
as $function$
begin
    update gemini_usage_events set state = 'sent', state_changed_at = clock_timestamp()
    where id = place and state in ('reserved', 'sent')
        and quota_day = (clock_timestamp() at time zone 'America/Los_Angeles')::date
        and state_changed_at > clock_timestamp() - stale_after_s * interval '1 second';
    return found;
end
$function$;

-- The reply is kept. What the columns can't hold fails when it is written.
create or replace function public.entity_pipeline_ledger_settle(
    place public.gemini_usage_events.id%type,
    kept jsonb,
    answered_by text,
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
        model_version = answered_by, search_queries = searches, prompt_tokens = prompt, cached_tokens = cached,
        output_tokens = output, thoughts_tokens = thoughts, tool_tokens = tool, cost_usd = paid_usd,
        latency_ms = took_ms
    where id = place and state in ('sent', 'unknown');
end
$function$;

-- migrate:down
