-- migrate:up

-- What holds for every pipeline leaves the row 'entity_enrichment' for rows of its own: 'gemini', 'instagram', 'notify'.
-- Values move as they are: one that can't be used closes the gate where it is now, as it did before. A row of these
-- names that exists already keeps its switch and its values; what it overrules stays behind and closes the gate until
-- a person has chosen. Running this again changes nothing.
set local lock_timeout = '5s';

do $$
declare
    ours public.pipeline_settings;
    kept jsonb;  -- what stays in our row
    part record;
    made text[];
begin
    select * into ours from public.pipeline_settings where platform = 'entity_enrichment' for update;
    kept := case when jsonb_typeof(ours.settings) = 'object' then ours.settings else '{}' end;

    with inserted as (
        insert into public.pipeline_settings (platform, is_enabled, settings)
        values ('gemini', true, '{}'), ('instagram', true, '{}'), ('notify', true, '{}')
        on conflict (platform) do nothing
        returning platform
    )
    select coalesce(array_agg(platform), '{}') into made from inserted;
    -- Elsewhere updated_by may be a person's uuid, which 'migration' is not.
    if (select atttypid from pg_attribute
        where attrelid = 'public.pipeline_settings'::regclass and attname = 'updated_by') = 'text'::regtype then
        update public.pipeline_settings set updated_by = 'migration' where platform = any (made);
    end if;

    for part in
        select place.name, place.key, array[old.key] as path, old.value
        from jsonb_each(kept) as old
        join (values
            ('daily_grounding_cap', 'gemini', 'daily_grounding_cap'),
            ('requests_per_minute', 'gemini', 'requests_per_minute'),
            ('daily_spend_usd', 'gemini', 'daily_spend_usd'),
            ('instagram_terms_acknowledged', 'instagram', 'terms_acknowledged'),
            ('instagram_windows', 'instagram', 'windows')
        ) as place (old_key, name, key) on place.old_key = old.key
        union all
        select 'notify', old.key, array['notify', old.key], old.value
        from jsonb_each(case when jsonb_typeof(kept -> 'notify') = 'object' then kept -> 'notify' else '{}' end) as old
    loop
        -- Who set the values of a row that is new is known.
        update public.pipeline_settings
        set settings = coalesce(nullif(settings, 'null'), '{}') || jsonb_build_object(part.key, part.value),
            updated_at = now(),
            updated_by = case when platform = any (made) then ours.updated_by else updated_by end
        where platform = part.name and coalesce(jsonb_typeof(settings), 'null') in ('object', 'null')
            and not coalesce(settings ? part.key, false);
        if exists (select from public.pipeline_settings
                where platform = part.name and settings -> part.key = part.value) then
            kept := kept #- part.path;
        end if;
    end loop;
    kept := case when kept -> 'notify' = '{}' then kept - 'notify' else kept end;

    -- Releases before this one know neither the new rows nor the key 'shared_rows'. It closes their gate, where they
    -- would otherwise go on under default limits until they are stopped.
    if coalesce(jsonb_typeof(ours.settings), 'null') in ('object', 'null')
            and (ours.is_enabled is distinct from false or coalesce(ours.settings, 'null') not in ('{}', 'null')) then
        update public.pipeline_settings set settings = kept || '{"shared_rows": true}', updated_at = now()
        where platform = 'entity_enrichment' and settings is distinct from kept || '{"shared_rows": true}';
    end if;
end
$$;

-- migrate:down
