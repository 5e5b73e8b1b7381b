-- migrate:up

-- One row per run of `entity-pipeline evaluate`: reviews measured against labelled accounts. Only that command
-- reads it. answers holds one object per labelled account.
create table if not exists public.review_evaluations (
    id uuid primary key default gen_random_uuid(),
    created_at timestamptz not null default now(),
    created_by text,
    file text not null,
    file_sha256 text not null,
    answers_from text,
    model text not null,
    prompt_version text not null,
    schema_version text not null,
    rules_version text not null,
    settings jsonb not null,
    figures jsonb not null,
    proposal jsonb not null,
    answers jsonb not null
);
comment on column public.review_evaluations.answers_from is
    'The host that answered in place of Google, whose figures are simulated; null is Google.';
alter table public.review_evaluations enable row level security;

-- migrate:down
