-- migrate:up transaction:false

-- Followers that name no primary account: each run of catalog_links looks for those whose brand has arrived since.
create index concurrently if not exists entity_pipeline_accounts_without_primary
    on public.instagram_accounts (id)
    where metadata #>> '{entity_enrichment,catalog_link,status}' = 'held'
        and metadata #> '{entity_enrichment,catalog_link,reasons}' ? 'primary_unknown';

-- migrate:down
