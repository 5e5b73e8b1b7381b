-- An operation database with account_type as an enum that knows no 'unknown', and people's own spellings.
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
create type account_type as enum (
    'artist', 'brand', 'group', 'other', 'source', 'influencer', 'place', 'company', 'designer'
);
create table instagram_accounts (
    id uuid primary key default gen_random_uuid(), username text not null unique, name_ko text, name_en text,
    display_name text, bio text, profile_image_url text, is_active boolean not null default true, metadata jsonb,
    account_type account_type, brand_id uuid references brands on delete set null,
    artist_id uuid references artists on delete set null, group_id uuid references groups on delete set null,
    created_at timestamptz not null default now(), updated_at timestamptz not null default '2025-01-01'
);
alter table artists add foreign key (primary_instagram_account_id) references instagram_accounts on delete set null;
create unique index on artists (primary_instagram_account_id) where primary_instagram_account_id is not null;
create unique index on groups (primary_instagram_account_id) where primary_instagram_account_id is not null;
create unique index on brands (primary_instagram_account_id) where primary_instagram_account_id is not null;
create table group_members (
    group_id uuid references groups, artist_id uuid references artists, primary key (group_id, artist_id)
);
create table admin_audit_log (
    id uuid primary key default gen_random_uuid(), admin_user_id uuid not null, action text, target_table text,
    target_id uuid, before_state jsonb, after_state jsonb, metadata jsonb, created_at timestamptz default now()
);
insert into brands (name_en, name_ko) values ('Gentle Monster', '젠틀몬스터'), ('GENTLE  MONSTER™', null);
insert into artists (name_ko) values ('아이유');
insert into instagram_accounts (username, account_type, metadata, brand_id)
select name, type::account_type, metadata::jsonb, case type when 'brand' then (select min(id::text)::uuid from brands) end
from (values
    ('@GentleMonster', 'brand', '{"mine": 1}'), ('Dazed', 'source', null), ('someone', 'influencer', '{}'),
    ('A.Place', 'place', null), ('acme', 'company', null), ('a_designer', 'designer', null), ('unsorted', null, null)
) as people (name, type, metadata);
