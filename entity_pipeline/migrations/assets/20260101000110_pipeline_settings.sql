-- migrate:up

-- An existing table keeps its rows and columns and only gains the missing ones.
set local lock_timeout = '5s';

do $$
begin
    if to_regclass('public.pipeline_settings') is null then
        create table public.pipeline_settings (
            platform text primary key,
            is_enabled boolean not null default false,
            settings jsonb not null default '{}',
            updated_at timestamptz not null default now(),
            updated_by text
        );
        alter table public.pipeline_settings enable row level security;
    end if;
end
$$;

alter table public.pipeline_settings
    add column if not exists is_enabled boolean not null default false,
    add column if not exists settings jsonb not null default '{}',
    add column if not exists updated_at timestamptz not null default now(),
    add column if not exists updated_by text;

-- Our row starts switched off: nothing is paid for before a person switches it on.
do $$
begin
    if exists (select from public.pipeline_settings where platform = 'entity_enrichment') then
        return;
    end if;
    insert into public.pipeline_settings (platform, is_enabled, settings)
    values ('entity_enrichment', false, '{}')
    on conflict do nothing;
    -- Elsewhere updated_by may be a person's uuid, which 'migration' is not.
    if (select atttypid from pg_attribute
        where attrelid = 'public.pipeline_settings'::regclass and attname = 'updated_by') = 'text'::regtype then
        update public.pipeline_settings set updated_by = 'migration' where platform = 'entity_enrichment';
    end if;
end
$$;

-- migrate:down
