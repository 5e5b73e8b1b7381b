-- migrate:up

-- Which state of a day of tagged_usernames (its tagged_days.changed_at, in the other database) the accounts hold, and
-- how many tagged accounts its cohort had then: a day of which both are the same is not taken in again.
set local lock_timeout = '5s';

create table if not exists public.intake_days (
    day date primary key,
    changed_at timestamptz not null,
    accounts integer not null
);
alter table public.intake_days enable row level security;

-- migrate:down
