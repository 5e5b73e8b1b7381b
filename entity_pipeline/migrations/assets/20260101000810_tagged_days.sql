-- migrate:up

-- From which posts, by which rules and to how many usernames each day of tagged_usernames was counted: a day whose
-- posts are the same is not counted again. changed_at is when the day's rows last changed; a row that is
-- missing costs one count.
set local lock_timeout = '5s';

create table if not exists public.tagged_days (
    day date primary key,
    mark numeric not null,
    rules text not null,
    usernames integer not null,
    counts jsonb not null,
    changed_at timestamptz not null
);
alter table public.tagged_days enable row level security;

-- migrate:down
