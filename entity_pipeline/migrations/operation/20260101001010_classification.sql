-- migrate:up

-- The only columns this project adds to tables that were there before it. A column that exists in any form, an
-- enum included, is left alone; account_type also allows the values that older rows carry.
set local lock_timeout = '5s';

alter table public.instagram_accounts
    add column if not exists account_type text constraint entity_pipeline_account_type check (account_type in (
        'artist', 'brand', 'group', 'other', 'unknown',
        'source', 'influencer', 'place', 'company', 'designer')),
    add column if not exists entity_region_code text;

do $$
begin
    if not exists (select from pg_attribute
                   where attrelid = 'public.instagram_accounts'::regclass
                     and attname = 'entity_ig_role' and not attisdropped) then
        alter table public.instagram_accounts
            add column entity_ig_role text constraint entity_pipeline_entity_ig_role
            check (entity_ig_role in ('primary', 'secondary', 'regional', 'unknown'));
        -- Empty in every row, so these can't fail; where the column was there, so were its keys.
        create unique index instagram_accounts_primary_of_artist
            on public.instagram_accounts (artist_id) where entity_ig_role = 'primary';
        create unique index instagram_accounts_primary_of_brand
            on public.instagram_accounts (brand_id) where entity_ig_role = 'primary';
    end if;
end
$$;

-- 'NA' means unknown here; a Namibian origin is never written by this pipeline.
alter table public.brands add column if not exists country_of_origin text not null default 'NA';

-- migrate:down
