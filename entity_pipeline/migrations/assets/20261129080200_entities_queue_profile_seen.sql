-- migrate:up

-- When a profile that was found was last looked at: the oldest are looked at again when nothing else is due.
set local lock_timeout = '5s';
alter table public.enrichment_queue add column if not exists profile_seen text collate "C";

-- migrate:down
