-- migrate:up transaction:false

-- Accounts that wait for their primary account, by its handle, to be decided again once it is linked.
create index concurrently if not exists entity_pipeline_accounts_waiting
    on public.instagram_accounts ((metadata #>> '{entity_enrichment,gemini_review,review,primary_username}'))
    where metadata #>> '{entity_enrichment,catalog_link,status}' = 'held'
        and metadata #> '{entity_enrichment,catalog_link,reasons}' ? 'primary_not_linked';

-- migrate:down
