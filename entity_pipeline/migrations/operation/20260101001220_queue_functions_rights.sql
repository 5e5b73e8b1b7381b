-- migrate:up

-- Supabase grants every new function of the schema to the roles of its API, by name and not through public. These
-- run with their owner's rights and must not be called directly: triggers need no right on their function.
do $$
declare
    role text;
begin
    for role in select rolname from pg_roles where rolname in ('anon', 'authenticated', 'service_role') loop
        execute format('revoke all on function public.entity_pipeline_queue_refresh(uuid[]) from %I', role);
        execute format('revoke all on function public.entity_pipeline_queue_follow() from %I', role);
        execute format('revoke all on function public.entity_pipeline_queue_forget() from %I', role);
    end loop;
end
$$;

-- migrate:down
