-- migrate:up

-- The keys of alerts are now "domain/kind:subject". Rows with the former keys are copied and not renamed: a daemon of the
-- earlier release that still runs continues with its own rows and sends nothing twice. The first daemon of this release
-- deletes them. Rows that already exist, such as those of a second daemon, stay.
insert into public.pipeline_alerts (alert, channel, true_at, sent_at, claimed_until)
select
    case
        when kind in ('cap_near', 'cap_reached', 'spend_reached', 'blocked_by_google', 'model_changed', 'few_grounded')
            then 'gemini/' || alert
        when kind = 'pool_empty' then 'instagram/' || alert
        when kind = 'notify_unreadable' then 'notify/settings_unreadable'
        when kind = 'scheduler_silent' then 'entities/scheduler_silent:enrichment_schedule'
        when alert = 'run_failed:spend_job' then 'shared/' || alert
        else 'entities/' || alert
    end,
    channel, true_at, sent_at, claimed_until
from (select *, split_part(alert, ':', 1) as kind from public.pipeline_alerts 
      where strpos(split_part(alert, ':', 1), '/') = 0) as former
on conflict (alert, channel) do nothing;

-- migrate:down
