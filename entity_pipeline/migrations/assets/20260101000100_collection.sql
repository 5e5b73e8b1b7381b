-- migrate:up

-- The collector's tables. In production they exist and stay exactly as they are; an empty server gets
-- them in the same shape. Row-level security is switched on only for tables that this file creates.
do $$
begin
    if to_regtype('public.pipeline_status') is null then
        create type public.pipeline_status as enum
            ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED', 'VERIFIED', 'ERROR');
    end if;

    if to_regclass('public.raw_post_sources') is null then
        create table public.raw_post_sources (
            id uuid primary key default gen_random_uuid(),
            platform text not null,
            source_type text not null,
            source_identifier text not null,
            label text,
            is_active boolean not null default true,
            fetch_interval_seconds integer not null default 3600,
            last_enqueued_at timestamptz,
            last_scraped_at timestamptz,
            initial_scraped_at timestamptz,
            metadata jsonb default '{}',
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            unique (platform, source_type, source_identifier)
        );
        alter table public.raw_post_sources enable row level security;
    end if;

    if to_regclass('public.raw_posts') is null then
        create table public.raw_posts (
            id uuid primary key default gen_random_uuid(),
            source_id uuid references public.raw_post_sources (id) on delete set null,
            platform text not null,
            external_id text not null,
            external_url text,
            image_url text,
            image_hash text,
            caption text,
            author_name text,
            platform_metadata jsonb,
            status public.pipeline_status not null default 'NOT_STARTED',
            parse_status text,
            parse_result jsonb,
            parse_error text,
            parse_attempts integer not null default 0,
            verified_at timestamptz,
            verified_by uuid,
            dispatch_id text,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            unique (platform, external_id)
        );
        alter table public.raw_posts enable row level security;
    end if;
end
$$;

-- migrate:down
