-- migrate:up transaction:false

-- The accounts that were written since some moment: how enrichment_queue, in the assets database, follows them.
create index concurrently if not exists entity_pipeline_accounts_updated_at
    on public.instagram_accounts (updated_at, id);

-- migrate:down
