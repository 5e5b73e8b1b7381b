-- migrate:up transaction:false

-- The last write to one row decides whether a value is still ours.
create index concurrently if not exists entity_pipeline_audit_target
    on public.admin_audit_log (target_table, target_id, created_at);

-- migrate:down
