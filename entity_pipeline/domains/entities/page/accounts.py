"""One account, read with care: its metadata is JSON that models, Instagram and people have written.

Nothing here is escaped (the templates do that), but no address leaves that is not http or https.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from psycopg import Connection

from entity_pipeline.admin.figures import (
    AccountFigures,
    Count,
    EvidenceFigures,
    HistoryRow,
    LedgerRow,
    LinkFigures,
    ProfileFigures,
    QueueState,
    ReviewFigures,
    ScoredField,
)
from entity_pipeline.core.audit import PAGE_ACTOR, SYSTEM_ACTOR
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import EntityTable
from entity_pipeline.domains.entities.page.queries.account import (
    AccountRow,
    AuditEntry,
    account_row,
    audit_entries,
    entity_name,
)
from entity_pipeline.domains.entities.page.queue import instant, share, shown_cohort, whole
from entity_pipeline.domains.entities.settings import Thresholds
from entity_pipeline.resources.gemini.ledger_reading import LedgerEntry

MOST_ROWS = 100
_SCORED = ("account_type", "account_role", "name_en", "name_ko", "entity_region_code", "country_of_origin")


def account_figures(
    connection: Connection,
    username: str,
    thresholds: Thresholds,
    *,
    dagster_url: str | None,
    edit_url: str | None,
) -> AccountFigures | None:
    """Everything but the ledger's rows, which are in the other database; None when there is no such account."""
    row = account_row(connection, username)
    if row is None:
        return None
    enrichment = mapping(row.enrichment)
    link = mapping(enrichment.get("catalog_link"))
    table, entity_id = _entity(link)
    tagging = mapping(enrichment.get("tagging"))
    return AccountFigures(
        id=row.id,
        username=row.username,
        handle=handle_or_none(row.username),
        is_active=row.is_active,
        state=QueueState(row.state),
        name_en=row.name_en,
        name_ko=row.name_ko,
        type=row.account_type,
        role=row.role,
        region=row.region,
        cohort=shown_cohort(row.cohort),
        posts=row.posts,
        first_tagged_at=instant(tagging.get("first_tagged_at")),
        last_tagged_at=instant(tagging.get("last_tagged_at")),
        sample_posts=texts(tagging.get("sample_posts")),
        created_at=row.created_at,
        updated_at=row.updated_at,
        profile=_profile(row, mapping(enrichment.get("profile_backfill"))),
        review=_review(mapping(enrichment.get("gemini_review")), thresholds),
        link=_link(connection, link, table, entity_id, dagster_url),
        history=[_history(entry) for entry in audit_entries(connection, row.id, table, entity_id, MOST_ROWS)],
        ledger=None,
        cost_usd=None,
        edit_url=f"{edit_url}/{row.id}" if edit_url else None,
    )


def with_ledger(figures: AccountFigures, entries: Sequence[LedgerEntry]) -> AccountFigures:
    """The same with what the account cost in USD; released requests never left and cost nothing."""
    rows = [
        LedgerRow(
            id=entry.id,
            at=entry.created_at,
            kind=entry.kind,
            model=entry.model,
            state=entry.state,
            grounded=entry.grounded,
            search_queries=entry.search_queries,
            tokens=entry.tokens,
            cost_usd=entry.cost_usd,
            latency_ms=entry.latency_ms,
            error=entry.error,
        )
        for entry in entries
    ]
    cost_usd = sum((row.cost_usd or Decimal(0) for row in rows if row.state != "released"), Decimal(0))
    return figures.model_copy(update={"ledger": rows, "cost_usd": cost_usd})


def suggestions_of(connection: Connection, username: str) -> str | None:
    """Google's search suggestions as HTML, as stored; hostile until it is in its sandbox."""
    row = account_row(connection, username)
    review = mapping(mapping(row.enrichment if row else None).get("gemini_review"))
    return text(review.get("search_entry_point"))


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: object) -> str | None:
    """`value` if it is a text with something in it."""
    return value if isinstance(value, str) and value.strip() else None


def texts(value: object) -> list[str]:
    """The texts in a list; empty when it is none."""
    return [item for item in value if text(item)] if isinstance(value, list) else []


def address(value: object) -> str | None:
    """An http or https address, or None: a link with ``javascript:`` runs."""
    found = text(value)
    if found is None or not found.isprintable():
        return None
    try:
        parts = urlsplit(found)
        return found if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _profile(row: AccountRow, stored: Mapping[str, Any]) -> ProfileFigures:
    written = stored.get("fields_written")
    history = stored.get("history")
    return ProfileFigures(
        status=text(stored.get("status")) or "pending",
        outcome=text(stored.get("outcome")),
        display_name=row.display_name,
        bio=row.bio,
        image_url=address(mapping(stored.get("image")).get("url")) or address(row.profile_image_url),
        instagram_id=text(stored.get("instagram_id")),
        source=text(stored.get("source")),
        fetched_at=instant(stored.get("fetched_at")),
        attempts=whole(stored.get("attempts")),
        next_attempt_at=instant(stored.get("next_attempt_at")),
        fields_written=sorted(written) if isinstance(written, Mapping) else texts(written),
        history=[dict(item) for item in history if isinstance(item, Mapping)]
        if isinstance(history, list)
        else [],
    )


def _review(stored: Mapping[str, Any], thresholds: Thresholds) -> ReviewFigures:
    said = mapping(stored.get("review"))
    scores = mapping(said.get("field_confidence"))
    evidence = stored.get("evidence")
    grounded = stored.get("grounded")
    error = mapping(stored.get("error"))
    kind = text(said.get("account_type"))
    return ReviewFigures(
        status=text(stored.get("status")) or "pending",
        fields=[
            ScoredField(name=name, value=text(said.get(name)), confidence=share(scores.get(name)))
            for name in (*_SCORED, "primary_username")
            if said
        ],
        raw_confidence=share(stored.get("raw_confidence")),
        confidence=share(stored.get("confidence")),
        threshold=getattr(thresholds, kind, None) if kind in Thresholds.model_fields else None,
        grounded=grounded if isinstance(grounded, bool) else None,
        reasoning=text(said.get("reasoning")),
        evidence=[
            EvidenceFigures(
                claim=text(item.get("claim")) or "",
                uri=address(item.get("uri")),
                title=text(item.get("title")),
                names_account=item.get("names_account") is True,
            )
            for item in (evidence if isinstance(evidence, list) else [])
            if isinstance(item, Mapping)
        ],
        search_queries=texts(stored.get("search_queries")),
        has_search_suggestions=text(stored.get("search_entry_point")) is not None,
        model=text(stored.get("model")),
        model_version=text(stored.get("model_version")),
        prompt_version=text(stored.get("prompt_version")),
        reviewed_at=instant(stored.get("reviewed_at")),
        attempts=whole(stored.get("attempts")),
        next_attempt_at=instant(stored.get("next_attempt_at")),
        error=text(error.get("detail")) or text(error.get("reason")),
        notes=texts(stored.get("notes")),
    )


def _link(
    connection: Connection,
    stored: Mapping[str, Any],
    table: EntityTable | None,
    entity_id: UUID | None,
    dagster_url: str | None,
) -> LinkFigures:
    known = set(HoldReason)
    run_id = text(stored.get("run_id"))
    return LinkFigures(
        status=text(stored.get("status")) or "none",
        entity_table=table,
        entity_id=entity_id,
        entity_name=entity_name(connection, table, entity_id) if table and entity_id else None,
        reasons=[
            Count(value=reason, accounts=1, meaning=HoldReason(reason).sentence if reason in known else None)
            for reason in texts(stored.get("reasons"))
        ],
        rules_version=text(stored.get("rules_version")),
        run_id=run_id,
        run_url=run_url(dagster_url, run_id),
        linked_at=instant(stored.get("linked_at")),
    )


def run_url(dagster_url: str | None, run_id: str | None) -> str | None:
    """A run in the Dagster UI; None for what is no run's id, for example the command's."""
    try:
        return f"{dagster_url}/runs/{UUID(run_id)}" if dagster_url and run_id else None
    except ValueError:
        return None


def _entity(link: Mapping[str, Any]) -> tuple[EntityTable | None, UUID | None]:
    try:
        return EntityTable(str(link.get("entity_table"))), UUID(str(link.get("entity_id")))
    except ValueError:
        return None, None


_ACTORS = {SYSTEM_ACTOR: "pipeline", PAGE_ACTOR: "administration page"}


def _history(entry: AuditEntry) -> HistoryRow:
    return HistoryRow(
        at=entry.created_at,
        action=entry.action,
        by=_ACTORS.get(entry.admin_user_id, str(entry.admin_user_id)),
        table=entry.target_table,
        before=entry.before if isinstance(entry.before, dict) else None,
        after=entry.after if isinstance(entry.after, dict) else None,
        run_id=entry.run_id,
    )
