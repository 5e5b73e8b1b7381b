-- migrate:up

-- One narrow row per account: what lists filter, sort and count by, and nothing else. The metadata that it comes
-- from is kilobytes of compressed json: at a million accounts no index on expressions answers every filter in every
-- order, nor any count, without unpacking a great part of it. The pipeline never decides by this table.
set local lock_timeout = '5s';

-- What every row has and is of fixed width comes first: that makes reading all of it a third faster. No foreign key:
-- intake brings accounts by the million, and it would look each of them up; a trigger deletes instead.
create table if not exists public.enrichment_queue (
    account_id uuid primary key,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    cohort date not null,
    posts integer not null,
    state text collate "C" not null,
    account_type text collate "C",
    account_role text collate "C",
    region text collate "C",
    reasons text[] not null,
    handle text collate "C" not null,
    name_en text collate "C",
    name_ko text collate "C",
    next_attempt text collate "C",
    profile_next text collate "C"
);
alter table public.enrichment_queue enable row level security;

-- The orders of the list; each ends in the key, so that no two rows are equal.
create index if not exists enrichment_queue_most_tagged on public.enrichment_queue ((-posts), handle, account_id);
create index if not exists enrichment_queue_state on public.enrichment_queue (state, (-posts), handle, account_id);
create index if not exists enrichment_queue_oldest on public.enrichment_queue (created_at, account_id);
create index if not exists enrichment_queue_newest_change on public.enrichment_queue (changed_at, account_id);
create index if not exists enrichment_queue_username on public.enrichment_queue (handle, account_id);
-- The newest changes are mostly accounts without a review.
create index if not exists enrichment_queue_typed_newest_change
    on public.enrichment_queue (changed_at, account_id) where account_type is not null;
-- What an account that only waits has nothing of leaves such accounts out: most are, and intake writes no others.
-- Filters that are common each and seldom true together.
create index if not exists enrichment_queue_facets
    on public.enrichment_queue (state, account_type, account_role, region)
    where state <> 'pending' or account_type is not null or account_role is not null or region is not null;
-- What is rare enough to be looked up.
create index if not exists enrichment_queue_name_en on public.enrichment_queue (name_en) where name_en is not null;
create index if not exists enrichment_queue_name_ko on public.enrichment_queue (name_ko) where name_ko is not null;
create index if not exists enrichment_queue_cohort on public.enrichment_queue (cohort);
create index if not exists enrichment_queue_type
    on public.enrichment_queue (account_type) where account_type is not null;
create index if not exists enrichment_queue_role
    on public.enrichment_queue (account_role) where account_role is not null;
create index if not exists enrichment_queue_region on public.enrichment_queue (region) where region is not null;
create index if not exists enrichment_queue_reasons
    on public.enrichment_queue using gin (reasons) where reasons <> '{}';
-- Types, roles and states go together: the share of secondary artists is not a product of two shares.
create statistics if not exists enrichment_queue_facets (mcv, dependencies)
    on state, account_type, account_role, region from public.enrichment_queue;

-- People edit the metadata: whatever can't be read counts as absent, and nothing here may raise.
create or replace function public.entity_pipeline_queue_refresh(ids uuid[]) returns void
    language plpgsql security definer set search_path = ''
as $function$
begin
    insert into public.enrichment_queue as kept (account_id, handle, name_en, name_ko, state, account_type,
        account_role, region, cohort, posts, reasons, next_attempt, profile_next, created_at, changed_at)
    select a.id,
        left(lower(ltrim(btrim(a.username), '@')), 200),
        left(public.entity_pipeline_normalise_name(left(coalesce(nullif(a.name_en, ''), said ->> 'name_en'), 400)), 200),
        left(public.entity_pipeline_normalise_name(left(coalesce(nullif(a.name_ko, ''), said ->> 'name_ko'), 400)), 200),
        state,
        left(coalesce(nullif(a.account_type::text, 'unknown'), said ->> 'account_type', a.account_type::text), 40),
        left(coalesce(nullif(a.entity_ig_role::text, 'unknown'), said ->> 'account_role', a.entity_ig_role::text), 40),
        left(coalesce(nullif(a.entity_region_code, ''), said ->> 'entity_region_code'), 10),
        case when ours ->> 'cohort' ~ '^20[0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'
            then (left(ours ->> 'cohort', 8) || '01')::date + right(ours ->> 'cohort', 2)::int - 1
            else (a.created_at at time zone 'UTC')::date end,
        coalesce(case when jsonb_typeof(ours #> '{tagging,posts}') = 'number'
            then least(greatest((ours #>> '{tagging,posts}')::numeric, 0), 1000000000)::int end, 0),
        case when state = 'failed'
            then array_remove(array[left(review #>> '{error,reason}', 60)], null)
            when state = 'held' and jsonb_typeof(link -> 'reasons') = 'array'
            then array(select left(reason, 60) from jsonb_array_elements_text(link -> 'reasons') reason
                where reason is not null limit 50)
            else '{}' end,
        case when review ->> 'next_attempt_at' ~ '^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T'
            then left(review ->> 'next_attempt_at', 40) end,
        -- Null when no look at the profile is pending, '' when it may be made at any time.
        case when a.is_active and usable and coalesce(profile ->> 'status', 'pending') in ('pending', 'deferred')
            then case when profile ->> 'next_attempt_at' ~ '^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T'
                then left(profile ->> 'next_attempt_at', 40) else '' end end,
        a.created_at,
        a.updated_at
    from public.instagram_accounts a
    cross join lateral (select a.metadata -> 'entity_enrichment' as ours offset 0) o
    cross join lateral (select ours -> 'gemini_review' as review, ours -> 'catalog_link' as link,
        ours -> 'profile_backfill' as profile,
        coalesce(jsonb_typeof(a.metadata), 'null') in ('object', 'null')
            and coalesce(jsonb_typeof(ours), 'null') in ('object', 'null') as usable offset 0) s
    cross join lateral (select review -> 'review' as said, case
        when review ->> 'status' = 'failed' then 'failed'
        when review ->> 'status' = 'reviewed' then case
            when link ->> 'status' is null then 'undecided'
            when link ->> 'status' = 'undone' then 'undone'
            when link ->> 'reviewed_at' is distinct from review ->> 'reviewed_at' then 'undecided'
            when link ? 'picture' and link ->> 'picture'
                is distinct from profile #>> '{image,sha256}' then 'undecided'
            when link ->> 'status' in ('linked', 'created', 'attached') then link ->> 'status'
            else 'held' end
        when not a.is_active or not usable then 'left_alone'
        when review ->> 'status' = 'deferred' then 'deferred'
        else 'pending' end as state offset 0) v
    where a.id = any (ids)
    order by a.id
    -- Nobody deletes the account meanwhile.
    for key share of a
    on conflict (account_id) do update
    set (handle, name_en, name_ko, state, account_type, account_role, region, cohort, posts, reasons, next_attempt,
            profile_next, created_at, changed_at)
        = (excluded.handle, excluded.name_en, excluded.name_ko, excluded.state, excluded.account_type,
            excluded.account_role, excluded.region, excluded.cohort, excluded.posts, excluded.reasons,
            excluded.next_attempt, excluded.profile_next, excluded.created_at, excluded.changed_at)
    where kept is distinct from excluded;
end
$function$;

-- An outdated list is a nuisance, but a failing write of another application because of the list would be a fault.
-- An account that only waits is its own row of the list, and so are all that intake brings: such rows are made of
-- what was written, without looking at the table again and without an expression for what they can't have.
create or replace function public.entity_pipeline_queue_follow() returns trigger
    language plpgsql security definer set search_path = ''
as $function$
declare
    others uuid[];
begin
    with judged as materialized (
        select w.id, w.username, w.created_at, w.updated_at, cohort, posts,
            coalesce(w.is_active and w.name_en is null and w.name_ko is null and w.account_type is null
                and w.entity_ig_role is null and w.entity_region_code is null
                and jsonb_typeof(ours) = 'object' and jsonb_typeof(posts) = 'number'
                and cohort ~ '^20[0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'
                and ours - '{cohort,tagging}'::text[] = '{}', false) as only_waits
        from written w
        cross join lateral (select w.metadata -> 'entity_enrichment' as ours offset 0) o
        cross join lateral (select case when jsonb_typeof(ours) = 'object' then ours ->> 'cohort' end as cohort,
            ours #> '{tagging,posts}' as posts offset 0) s
    ), listed as (
        insert into public.enrichment_queue as kept
            (account_id, handle, state, cohort, posts, reasons, profile_next, created_at, changed_at)
        select id, left(lower(ltrim(btrim(username), '@')), 200), 'pending',
            (left(cohort, 8) || '01')::date + right(cohort, 2)::int - 1,
            least(greatest(posts::numeric, 0), 1000000000)::int, '{}', '', created_at, updated_at
        from judged where only_waits
        on conflict (account_id) do update
        set (handle, name_en, name_ko, state, account_type, account_role, region, cohort, posts, reasons,
                next_attempt, profile_next, created_at, changed_at)
            = (excluded.handle, null, null, excluded.state, null, null, null, excluded.cohort, excluded.posts,
                excluded.reasons, null, excluded.profile_next, excluded.created_at, excluded.changed_at)
        where kept is distinct from excluded
    )
    select array_agg(id) into others from judged where not only_waits;
    if others is not null then
        perform public.entity_pipeline_queue_refresh(others);
    end if;
    return null;
exception
    when deadlock_detected or serialization_failure then
        raise;
    when others then
        raise warning 'enrichment_queue was not brought up to date: %', sqlerrm;
        return null;
end
$function$;

create or replace function public.entity_pipeline_queue_forget() returns trigger
    language plpgsql security definer set search_path = ''
as $function$
begin
    if tg_op = 'TRUNCATE' then
        delete from public.enrichment_queue;
    else
        delete from public.enrichment_queue where account_id in (select id from deleted);
    end if;
    return null;
exception
    when deadlock_detected or serialization_failure then
        raise;
    when others then
        raise warning 'enrichment_queue was not brought up to date: %', sqlerrm;
        return null;
end
$function$;

revoke execute on function public.entity_pipeline_queue_refresh(uuid[]) from public;
revoke execute on function public.entity_pipeline_queue_follow() from public;
revoke execute on function public.entity_pipeline_queue_forget() from public;

create or replace trigger entity_pipeline_queue_insert after insert on public.instagram_accounts
    referencing new table as written for each statement execute function public.entity_pipeline_queue_follow();
create or replace trigger entity_pipeline_queue_update after update on public.instagram_accounts
    referencing new table as written for each statement execute function public.entity_pipeline_queue_follow();
create or replace trigger entity_pipeline_queue_delete after delete on public.instagram_accounts
    referencing old table as deleted for each statement execute function public.entity_pipeline_queue_forget();
create or replace trigger entity_pipeline_queue_truncate after truncate on public.instagram_accounts
    for each statement execute function public.entity_pipeline_queue_forget();

-- migrate:down
