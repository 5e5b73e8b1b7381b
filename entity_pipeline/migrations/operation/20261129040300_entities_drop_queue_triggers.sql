-- migrate:up

-- enrichment_queue is kept in the assets database now: each trigger made every write of any application to this table
-- two to three times slower (docs/decisions/0012-operation-holds-no-table-of-ours.md).
--
-- Dropping a trigger needs an exclusive lock for a moment, and sessions that arrive while we wait for it wait behind us.
-- So we wait at most 100 ms, let the others continue, and try again. Only an automatic vacuum takes longer: PostgreSQL
-- ends it for us after a second.
do $$
begin
    for attempt in 1..40 loop
        exit when not exists (select from pg_trigger
            where tgrelid = 'public.instagram_accounts'::regclass and tgname like 'entity\_pipeline\_queue\_%');
        perform set_config('lock_timeout', case when attempt % 10 = 0 and exists (select from pg_locks
            where relation = 'public.instagram_accounts'::regclass and mode = 'ShareUpdateExclusiveLock' and granted)
            then '1200ms' else '100ms' end, true);
        begin
            lock table public.instagram_accounts in access exclusive mode;
            exit;
        exception when lock_not_available then
            if attempt = 40 then
                raise;
            end if;
            perform pg_sleep(0.1 + 0.2 * random());
        end;
    end loop;
end
$$;

drop trigger if exists entity_pipeline_queue_insert on public.instagram_accounts;
drop trigger if exists entity_pipeline_queue_update on public.instagram_accounts;
drop trigger if exists entity_pipeline_queue_delete on public.instagram_accounts;
drop trigger if exists entity_pipeline_queue_truncate on public.instagram_accounts;

-- migrate:down
