-- migrate:up transaction:false

-- A partition of tagged_usernames reads one day of created_at.
create index concurrently if not exists entity_pipeline_raw_posts_created_at
    on public.raw_posts (created_at);

-- migrate:down
