"""Checks of the outside systems that domains share. Nothing here sends a request that costs money."""

import os
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta

from entity_pipeline.cli.checks.databases import connection_to
from entity_pipeline.cli.services import services
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.findings import Finding
from entity_pipeline.core.gemini.models import find_model, retirement_notice
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings, InstagramWindows
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.core.text.web_address import web_address
from entity_pipeline.resources.dagster_address import mistake_in
from entity_pipeline.resources.gemini.ledger_sql import DOUBTFUL
from entity_pipeline.resources.instagram.pool import unreadable_accounts
from entity_pipeline.resources.postgres import open_database

# The limits that the project considers prudent for one real Instagram account.
_PRUDENT = InstagramWindows(per_hour=200)


def addresses_are_urls() -> Iterator[Finding]:
    """Check the addresses of custom servers, whose mistakes would only show with the first request."""
    for name in ("GEMINI_BASE_URL", "INSTAGRAM_BASE_URL"):
        if (url := os.environ.get(name)) and web_address(url) is None:
            yield Finding("error", f"{name} must be a URL such as http://127.0.0.1:8000.")


def gemini_is_configured() -> Iterator[Finding]:
    """Check that the model is known and a key is set."""
    with services() as built:
        name, accepted = built.gemini.model, _accepted_models(built.settings)
    yield from model_findings(name, datetime.now(UTC).date(), accepted)
    if find_model(name) is None:
        return
    if os.environ.get("GEMINI_API_KEY"):
        where = os.environ.get("GEMINI_BASE_URL") or "Google"
        yield Finding("ok", f"A Gemini key is set; requests go to {where}.")
    else:
        yield Finding("error", "GEMINI_API_KEY is not set: set it to a key of your Google project.")


def gemini_may_be_asked() -> Iterator[Finding]:
    """Report what holds every request: the switch, or another model that answers."""
    with services() as built:
        if find_model(built.gemini.model) is None:  # which has its own finding
            return
        held = built.gemini.quota().held
    if held is not None:
        yield Finding("warn", str(held))


def other_pipelines_say_whether_they_search() -> Iterator[Finding]:
    """Name the pipelines whose rows count against the grounding cap only because they do not say that they don't."""
    with services() as built:
        known = built.settings.readable(GeminiSettings).ungrounded_pipelines
    with connection_to("assets") as assets:
        found = assets.execute(DOUBTFUL, [datetime.now(UTC) - timedelta(days=7), known]).fetchall()
    for pipeline, rows in found:
        yield Finding(
            "warn",
            f"assets: {rows} rows of the pipeline '{pipeline}' in gemini_usage_events (7 days) do not say whether they "
            "searched, and each counts as a grounded request: let it fill grounded or search_queries, or, if it never "
            f"searches, add it to ungrounded_pipelines of the row gemini.",
        )


def _accepted_models(settings: SettingsAccess) -> Collection[str]:
    try:
        return settings.readable(GeminiSettings).accept_models
    except PipelineFailure:  # an unreachable database is reported by its own check
        return ()


def model_findings(name: str, today: date, accepted: Collection[str] = ()) -> Iterator[Finding]:
    """Check that the registry knows the model, and warn from 30 days before it retires."""
    model = find_model(name)
    if model is None:
        yield Finding(
            "error",
            f"GEMINI_MODEL is '{name}', which core/gemini/models.py does not know: choose another or add it.",
        )
    elif (notice := retirement_notice(model, today, accepted)) is not None:
        yield Finding("warn", str(notice.reason))


def instagram_is_asked_slowly() -> Iterator[Finding]:
    """Check that the windows are prudent where real accounts are used."""
    with services() as built:
        gate = built.settings.gate(InstagramSettings)
    if isinstance(gate, Closed):
        return
    windows = gate.settings.windows
    hasty = windows.gap_s < _PRUDENT.gap_s or any(
        getattr(windows, name) > getattr(_PRUDENT, name) for name in ("per_minute", "per_hour", "per_day")
    )
    if hasty and not os.environ.get("INSTAGRAM_BASE_URL"):
        yield Finding(
            "warn",
            (
                "The windows of instagram allow more than one request every 2 s, 20 per minute, 200 per hour or 1,000 "
                "per day, so Instagram may lock accounts: lower them with `entity-pipeline settings set instagram`."
            ),
        )


def pool_is_readable() -> Iterator[Finding]:
    """Check that the session of every account of the pool can be decrypted."""
    with connection_to("assets") as assets:
        unreadable = unreadable_accounts(assets, os.environ.get("INSTAGRAM_SESSION_KEYS"))
    for username, reason in unreadable.items():
        yield Finding("error", f"'{username}' of the pool can't be used: {reason}")


def pictures_are_stored() -> Iterator[Finding]:
    """Check that the bucket stores, shows and deletes an object."""
    names = ("R2_ENDPOINT_URL", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_BUCKET", "R2_PUBLIC_BASE_URL")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        yield Finding("warn", f"Pictures are not stored. To store them, set {', '.join(missing)}.")
        return
    with services() as built:
        built.r2.check()
    yield Finding("ok", f"The bucket {os.environ['R2_BUCKET']} stores, shows and deletes an object.")


def dagster_is_kept() -> Iterator[Finding]:
    """Check the address of Dagster's own database, and that it answers."""
    url = os.environ.get("DAGSTER_POSTGRES_URL")
    if url and (mistake := mistake_in(url)):
        yield Finding("error", mistake)
    elif url and os.environ.get("DAGSTER_HOME"):
        with open_database(url) as database, database.connection():
            yield Finding("ok", "Dagster's own database answers.")
    else:
        yield Finding(
            "warn",
            "DAGSTER_HOME and DAGSTER_POSTGRES_URL are not set: `enrich` works, but its runs are not kept.",
        )
