-- migrate:up

-- What the ledger holds for one request that wants to go out, for `resources/gemini/ledger_sql.py`. The decision is
-- made in Python. A function because PostgreSQL keeps its plans, through a transaction pooler too: planning these
-- statements anew took longer than running them. It runs with the caller's rights, and reads in one snapshot.
create or replace function public.entity_pipeline_ledger(
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
    consumed uuid default null,
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
    out unused_reply uuid
)
    language plpgsql stable
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

    select max(state_changed_at) filter (where state in ('reserved', 'sent')),
        (array_agg(id order by created_at desc) filter (
            where state = 'settled' and reply is not null
                and metadata ->> 'kind' = of_kind and metadata ->> 'config_hash' = of_config_hash
                and (consumed is null
                     or created_at > (select held.created_at from gemini_usage_events held where held.id = consumed))
        ))[1]
    into claimed_at, unused_reply
    from gemini_usage_events
    where pipeline = of_pipeline and step = of_step and subject = of_subject;
end
$function$;

-- migrate:down
