-- migrate:up transaction:false

-- What the pipeline wrote lately, for the name checks; the actor is the one of shared/audit/writer.py.
create index concurrently if not exists entity_pipeline_audit_recent
    on public.admin_audit_log (created_at) where admin_user_id = 'e7717000-0000-4000-8000-0000e4717195';

-- migrate:down
