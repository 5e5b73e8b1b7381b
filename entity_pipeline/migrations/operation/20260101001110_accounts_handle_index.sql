-- migrate:up transaction:false

-- People's usernames may be mixed-case or carry an @; this finds them by handle.
create index concurrently if not exists entity_pipeline_accounts_handle
    on public.instagram_accounts (lower(ltrim(btrim(username), '@')));

-- migrate:down
