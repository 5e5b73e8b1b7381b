-- migrate:up transaction:false

-- Accounts that were renamed, and handles that belong to another account now: there are few, and each run of
-- catalog_links looks for those whose links have not followed yet.
create index concurrently if not exists entity_pipeline_accounts_moved
    on public.instagram_accounts (id)
    where metadata #>> '{entity_enrichment,profile_backfill,renamed_to,username}' is not null
        or metadata #>> '{entity_enrichment,profile_backfill,reassigned_to}' is not null;

-- migrate:down
