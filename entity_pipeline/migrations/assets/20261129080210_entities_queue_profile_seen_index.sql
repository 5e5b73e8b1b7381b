-- migrate:up transaction:false

-- The profiles whose last look is the oldest.
create index concurrently if not exists enrichment_queue_profile_seen
    on public.enrichment_queue (profile_seen) where profile_seen is not null;

-- migrate:down
