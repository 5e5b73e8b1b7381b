-- migrate:up

-- The catalog. In production every table below exists and stays exactly as it is; an empty server gets them in the
-- same shape. Constraints, triggers and row-level security are added only to tables that this file creates.
do $$
declare
    entity text;
    created text[] := '{}';
begin
    if to_regclass('public.artists') is null then
        create table public.artists (
            id uuid primary key default gen_random_uuid(),
            name_ko text,
            name_en text,
            profile_image_url text,
            primary_instagram_account_id uuid,
            metadata jsonb default '{}',
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        alter table public.artists enable row level security;
        created := array_append(created, 'artists');
    end if;

    if to_regclass('public.groups') is null then
        create table public.groups (
            id uuid primary key default gen_random_uuid(),
            name_ko text,
            name_en text,
            profile_image_url text,
            primary_instagram_account_id uuid,
            metadata jsonb default '{}',
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        alter table public.groups enable row level security;
        created := array_append(created, 'groups');
    end if;

    if to_regclass('public.brands') is null then
        create table public.brands (
            id uuid primary key default gen_random_uuid(),
            name_ko text,
            name_en text,
            logo_image_url text,
            country_of_origin text not null default 'NA',
            primary_instagram_account_id uuid,
            metadata jsonb default '{}',
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        alter table public.brands enable row level security;
        created := array_append(created, 'brands');
    end if;

    if to_regclass('public.instagram_accounts') is null then
        create table public.instagram_accounts (
            id uuid primary key default gen_random_uuid(),
            username text not null unique,
            name_ko text,
            name_en text,
            display_name text,
            bio text,
            profile_image_url text,
            is_active boolean not null default true,
            metadata jsonb default '{}',
            wikidata_status text check (wikidata_status in ('matched', 'not_found', 'ambiguous', 'error')),
            wikidata_id text,
            needs_review boolean,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            brand_id uuid references public.brands (id) on delete set null,
            artist_id uuid references public.artists (id) on delete set null,
            group_id uuid references public.groups (id) on delete set null,
            entity_region_code text,
            account_type text constraint entity_pipeline_account_type check (account_type in (
                'artist', 'brand', 'group', 'other', 'unknown',
                'source', 'influencer', 'place', 'company', 'designer')),
            entity_ig_role text constraint entity_pipeline_entity_ig_role
                check (entity_ig_role in ('primary', 'secondary', 'regional', 'unknown')),
            constraint instagram_accounts_brand_or_artist check (brand_id is null or artist_id is null),
            constraint instagram_accounts_linked_has_role check (
                (brand_id is null and artist_id is null and group_id is null) or entity_ig_role is not null)
        );
        alter table public.instagram_accounts enable row level security;

        create unique index instagram_accounts_primary_of_artist
            on public.instagram_accounts (artist_id) where entity_ig_role = 'primary';
        create unique index instagram_accounts_primary_of_brand
            on public.instagram_accounts (brand_id) where entity_ig_role = 'primary';
        create index instagram_accounts_artist_id on public.instagram_accounts (artist_id);
        create index instagram_accounts_brand_id on public.instagram_accounts (brand_id);
        create index instagram_accounts_group_id on public.instagram_accounts (group_id);

        create or replace function public.entity_pipeline_touch_updated_at() returns trigger
            language plpgsql set search_path = '' as $function$
        begin
            new.updated_at := now();
            return new;
        end
        $function$;
        create trigger entity_pipeline_touch_updated_at before update on public.instagram_accounts
            for each row execute function public.entity_pipeline_touch_updated_at();
    end if;

    if to_regclass('public.group_members') is null then
        create table public.group_members (
            group_id uuid not null references public.groups (id) on delete cascade,
            artist_id uuid not null references public.artists (id) on delete cascade,
            is_active boolean not null default true,
            metadata jsonb default '{}',
            primary key (group_id, artist_id)
        );
        alter table public.group_members enable row level security;
    end if;

    if to_regclass('public.admin_audit_log') is null then
        create table public.admin_audit_log (
            id uuid primary key default gen_random_uuid(),
            admin_user_id uuid not null,
            action text not null,
            target_table text not null,
            target_id uuid,
            before_state jsonb,
            after_state jsonb,
            metadata jsonb,
            created_at timestamptz not null default now()
        );
        alter table public.admin_audit_log enable row level security;
    end if;

    -- Accounts and entities point at each other, so these keys come last.
    foreach entity in array created loop
        execute format(
            'alter table public.%I add foreign key (primary_instagram_account_id) '
            'references public.instagram_accounts (id) on delete set null', entity);
        execute format(
            'create unique index %I on public.%I (primary_instagram_account_id) '
            'where primary_instagram_account_id is not null',
            entity || '_primary_instagram_account_id_key', entity);
    end loop;
end
$$;

-- migrate:down
