-- migrate:up transaction:false

-- Accounts whose profile is still to be fetched although their review no longer waits. Those that wait for
-- both are found by enrichment_queue_state; what intake brings is none of these.
create index concurrently if not exists entity_pipeline_queue_late_profiles
    on public.enrichment_queue ((-posts), handle, account_id) where profile_next is not null and state <> 'pending';

-- migrate:down
