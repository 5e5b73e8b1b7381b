-- migrate:up

-- In the place of 20260101001020, whose key told ø from o and `&` from "and".
set local lock_timeout = '5s';
drop index if exists public.entity_pipeline_artists_name_en;
drop index if exists public.entity_pipeline_artists_name_ko;
drop index if exists public.entity_pipeline_brands_name_en;
drop index if exists public.entity_pipeline_brands_name_ko;
drop index if exists public.entity_pipeline_groups_name_en;
drop index if exists public.entity_pipeline_groups_name_ko;
drop function if exists public.entity_pipeline_normalise_name(text);

-- migrate:down
