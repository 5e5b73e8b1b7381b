-- An operation database as Supabase keeps one and as people filled it: enums that know no 'unknown', usernames as
-- they were typed, the same handle in several rows, entities without names or with the same name, views, triggers.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
grant usage on schema public to anon, authenticated, service_role;

create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
insert into supabase_migrations.schema_migrations values ('20240101000000', null, 'catalog');

create function set_updated_at() returns trigger language plpgsql as
$$ begin new.updated_at = now(); return new; end $$;

create table artists (
    id uuid primary key default gen_random_uuid(), name_ko text, name_en text, profile_image_url text,
    primary_instagram_account_id uuid, metadata jsonb, created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create table groups (like artists including all);
create table brands (
    id uuid primary key default gen_random_uuid(), name_ko text, name_en text, logo_image_url text,
    primary_instagram_account_id uuid, metadata jsonb, created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create type instagram_account_type as enum (
    'artist', 'brand', 'group', 'other', 'source', 'influencer', 'place', 'company', 'designer'
);
create type instagram_role as enum ('primary', 'secondary', 'regional');
create table instagram_accounts (
    id uuid primary key default gen_random_uuid(), username text not null unique, name_ko text, name_en text,
    display_name text, bio text, profile_image_url text, is_active boolean not null default true, metadata jsonb,
    wikidata_status text check (wikidata_status in ('matched', 'not_found', 'ambiguous', 'error')), wikidata_id text,
    needs_review boolean default false, created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(), account_type instagram_account_type, entity_ig_role instagram_role,
    brand_id uuid references brands on delete set null, artist_id uuid references artists on delete set null,
    group_id uuid references groups on delete set null,
    constraint one_entity check (brand_id is null or artist_id is null),
    constraint linked_has_role check (
        (brand_id is null and artist_id is null and group_id is null) or entity_ig_role is not null)
);
create unique index on instagram_accounts (artist_id) where entity_ig_role = 'primary';
create unique index on instagram_accounts (brand_id) where entity_ig_role = 'primary';
alter table artists add foreign key (primary_instagram_account_id) references instagram_accounts on delete set null;
alter table groups add foreign key (primary_instagram_account_id) references instagram_accounts on delete set null;
alter table brands add foreign key (primary_instagram_account_id) references instagram_accounts on delete set null;
create unique index on artists (primary_instagram_account_id) where primary_instagram_account_id is not null;
create unique index on groups (primary_instagram_account_id) where primary_instagram_account_id is not null;
create unique index on brands (primary_instagram_account_id) where primary_instagram_account_id is not null;
create table group_members (
    group_id uuid references groups, artist_id uuid references artists, is_active boolean default true, metadata jsonb,
    primary key (group_id, artist_id)
);
create table admin_audit_log (
    id uuid primary key default gen_random_uuid(), admin_user_id uuid not null, action text not null,
    target_table text not null, target_id uuid, before_state jsonb, after_state jsonb, metadata jsonb,
    created_at timestamptz not null default now()
);
create view verified_brands as select id, name_en, logo_image_url from brands where name_en is not null;
create view accounts_to_review as select * from instagram_accounts where needs_review;

insert into artists (name_en, name_ko, metadata)
select case when n % 4 > 0 then 'Artist ' || n end, case when n % 3 = 0 then '가수 ' || n end, '{"by": "a person"}'
from generate_series(1, 3000) as n;
insert into groups (name_en, name_ko) select 'Group ' || n % 390, case when n % 2 = 0 then '' end from generate_series(1, 400) as n;
insert into brands (name_en, name_ko, logo_image_url)
select 'Brand ' || n, nullif('브랜드 ' || n % 10, '브랜드 0'), case when n % 6 = 0 then 'https://logo.example/' || n end
from generate_series(1, 4000) as n;
insert into brands (name_en, name_ko, logo_image_url, metadata) values
    ('PRADA™', null, 'https://logo.example/prada', '{"since": 1913}'), ('Brand  7', null, null, null),
    ('Timberland by hand', '팀버랜드', null, null), (null, null, null, null);
insert into group_members (group_id, artist_id)
select g.id, a.id from (select id, row_number() over () as n from groups) as g
join (select id, row_number() over () as n from artists) as a on a.n between g.n * 4 and g.n * 4 + 3;
insert into instagram_accounts (username, name_en, account_type, entity_ig_role, brand_id, metadata, created_at, bio)
select case n % 5 when 0 then '@Brand_' || n when 1 then 'BRAND_' || n else 'brand_' || n end, name_en, 'brand',
    'primary', id, case when n % 2 = 0 then jsonb_build_object('mine', n) end, '2025-01-01', 'Written by hand'
from (select *, row_number() over (order by id) as n from brands where name_en like 'Brand %') as b where n <= 2000;
insert into instagram_accounts (username, account_type, is_active, wikidata_status, wikidata_id, needs_review, created_at)
select 'seen.' || n, (array['source', 'influencer', 'place', 'company', 'designer', 'other', null])[1 + n % 7]
    ::instagram_account_type, n % 11 > 0, 'matched', 'Q' || n, n % 13 = 0, '2025-02-01'
from generate_series(1, 6000) as n;
-- Accounts that the posts of the test tag, in people's spelling, and twins; made on the day of those posts.
insert into instagram_accounts (username, name_en, name_ko, account_type, display_name, metadata, created_at) values
    ('Prada', null, '사람이 쓴 이름', null, 'by hand', '{"mine": true}', '2026-10-05 09:00+00'),
    ('Twin.Handle', 'Twin', null, 'brand', null, null, '2026-10-05 09:00+00'),
    ('@twin.handle', null, null, null, null, '[]', '2026-10-05 09:00+00'),
    ('uniqlo_jp', 'Uniqlo Japan by hand', null, 'company', null, null, '2026-10-05 09:00+00');
insert into instagram_accounts (username, account_type, entity_ig_role, brand_id, created_at)
select '@Timberland', 'brand', 'secondary', id, '2026-10-05 09:00+00' from brands where name_en = 'Timberland by hand';
update brands set primary_instagram_account_id = a.id from instagram_accounts a
where a.brand_id = brands.id and a.entity_ig_role = 'primary';
insert into admin_audit_log (admin_user_id, action, target_table, target_id, after_state)
select gen_random_uuid(), 'verified', 'brands', id, to_jsonb(b) from brands as b limit 500;

create trigger set_updated_at before update on instagram_accounts for each row execute function set_updated_at();
create trigger set_updated_at before update on brands for each row execute function set_updated_at();
create trigger set_updated_at before update on artists for each row execute function set_updated_at();
do $$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'public' loop
        execute format('alter table public.%I enable row level security', name);
    end loop;
end
$$;
analyze;
