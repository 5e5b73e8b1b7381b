"""The domain's rows of `admin_audit_log`."""

from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.audit.writer import AuditWriter

entity_audit = AuditWriter(EntitySettings.row)
