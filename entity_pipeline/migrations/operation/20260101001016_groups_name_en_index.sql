-- migrate:up transaction:false

-- Candidates of a name; see 20260101001011.
create index concurrently if not exists entity_pipeline_groups_name_en
    on public.groups (public.entity_pipeline_normalise_name(name_en));

-- migrate:down
