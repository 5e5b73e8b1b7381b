-- migrate:up

-- One row per alert and channel: when it was last true, and when it was last sent. A row is claimed before
-- anything is sent, so that only one of several processes sends. It holds no secret and no text of an alert.
create table if not exists public.pipeline_alerts (
    alert text not null,
    channel text not null,
    true_at timestamptz not null default now(),
    sent_at timestamptz,
    claimed_until timestamptz,
    primary key (alert, channel)
);
comment on column public.pipeline_alerts.sent_at is
    'Null while it is still to be sent. A claim that runs out without it is taken up again.';
alter table public.pipeline_alerts enable row level security;

-- migrate:down
