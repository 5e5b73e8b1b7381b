"""Every resource key and every environment variable of the code location, in one place.

Dagster keeps the variable's name in its records, not the value. If a variable is not set, its resource is unusable,
with a sentence that names the variable, and everything else works.
"""

import os
from typing import Any

import dagster as dg

from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.notifications import NotificationResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.r2 import R2Resource
from entity_pipeline.resources.schema_probe import SchemaProbe
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.resources.tracing import TracingResource


def resources_of_environment() -> dict[str, Any]:
    """Resources by key, configured by the environment. Nothing is connected here."""
    assets_db = PostgresResource(url=dg.EnvVar("ASSETS_DATABASE_URL"))
    operation_db = PostgresResource(url=dg.EnvVar("OPERATION_DATABASE_URL"))
    return {
        "assets_db": assets_db,
        "operation_db": operation_db,
        "schema": SchemaProbe(assets_db=assets_db, operation_db=operation_db),
        "settings": SettingsStore(assets_db=assets_db, operation_db=operation_db),
        "gemini": GeminiResource(
            assets_db=assets_db,
            api_key=_if_set("GEMINI_API_KEY") or "",
            base_url=_if_set("GEMINI_BASE_URL"),
            model_name=_if_set("GEMINI_MODEL") or DEFAULT_MODEL,
            request_keys=_if_set("GEMINI_REQUEST_KEYS"),
        ),
        "instagram": InstagramResource(
            assets_db=assets_db,
            base_url=_if_set("INSTAGRAM_BASE_URL"),
            session_keys=_if_set("INSTAGRAM_SESSION_KEYS"),
        ),
        "r2": R2Resource(
            endpoint_url=_if_set("R2_ENDPOINT_URL") or "",
            access_key_id=_if_set("R2_ACCESS_KEY_ID") or "",
            secret_access_key=_if_set("R2_SECRET_ACCESS_KEY") or "",
            bucket=_if_set("R2_BUCKET") or "",
            public_base_url=_if_set("R2_PUBLIC_BASE_URL") or "",
        ),
        "notifications": NotificationResource(
            webhook_url=_if_set("ALERT_WEBHOOK_URL"),
            smtp_url=_if_set("ALERT_SMTP_URL"),
            email_from=_if_set("ALERT_EMAIL_FROM"),
            email_to=_if_set("ALERT_EMAIL_TO"),
            page_url=_if_set("ADMIN_URL"),
            dagster_url=_if_set("DAGSTER_UI_URL"),
        ),
        "tracing": TracingResource(
            endpoint=_if_set("OTEL_EXPORTER_OTLP_ENDPOINT"), headers=_if_set("OTEL_EXPORTER_OTLP_HEADERS")
        ),
    }


def _if_set(name: str) -> dg.EnvVar | None:
    return dg.EnvVar(name) if os.environ.get(name) else None
