-- migrate:up transaction:false

-- The existing accounts. In short transactions: another writer of an account waits for at most 1,000 rows. A row
-- that is being written is left to the trigger in the first round, and waited for in the second.
do $$
declare
    last uuid;
    batch uuid[];
begin
    for round in 1..2 loop
        last := '00000000-0000-0000-0000-000000000000';
        loop
            select array_agg(id) into batch from (
                select id from public.instagram_accounts a
                where id > last and not exists (select from public.enrichment_queue where account_id = a.id)
                order by id limit 1000) missing;
            exit when batch is null;
            last := batch[array_upper(batch, 1)];
            if round = 1 then
                select array_agg(id) into batch from (
                    select id from public.instagram_accounts where id = any (batch)
                    order by id for no key update skip locked) free;
            else
                perform id from public.instagram_accounts where id = any (batch) order by id for no key update;
            end if;
            perform public.entity_pipeline_queue_refresh(batch);
            commit;
        end loop;
    end loop;
    analyze public.enrichment_queue;
end
$$;

-- migrate:down
