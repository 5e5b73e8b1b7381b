-- migrate:up

-- Drops the functions of the triggers, and the two tables that are in the assets database now. Nothing is lost: the list
-- is read from the accounts, and a day without a note is taken in once more, which changes nothing.
set local lock_timeout = '1s';

drop function if exists public.entity_pipeline_queue_follow();
drop function if exists public.entity_pipeline_queue_forget();
drop function if exists public.entity_pipeline_queue_refresh(uuid[]);

do $$
begin
    -- Where both databases are one, the tables of these names are those of the assets database.
    if to_regclass('public.enrichment_queue_sweep') is null then
        drop table if exists public.enrichment_queue;
        drop table if exists public.intake_days;
    end if;
end
$$;

-- migrate:down
