-- migrate:up transaction:false

-- The cursor of new_posts_sensor.
create index concurrently if not exists entity_pipeline_raw_posts_updated_at
    on public.raw_posts (updated_at, id);

-- migrate:down
