-- migrate:up transaction:false

-- Candidates of a name; see 20261129060100.
create index concurrently if not exists entity_pipeline_brands_name_ko_key
    on public.brands (public.entity_pipeline_name_key(name_ko));

-- migrate:down
