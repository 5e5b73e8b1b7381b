-- migrate:up

-- The request, and the other model that is billed for it, if any. Rows that other pipelines write stay valid.
set local lock_timeout = '5s';

alter table public.gemini_usage_events
    -- The request as it was sent, its texts open, sealed or left out; see `core/gemini/request.py`.
    add column if not exists request jsonb,
    -- The model that answered, or is expected to, where it is another one than `model`.
    add column if not exists billed_model text;

-- migrate:down
