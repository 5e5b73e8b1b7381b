"""Read one account defensively: its metadata is JSON that models, Instagram and people have written.

Nothing here is escaped (the templates do that), but only http and https addresses are returned.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from pydantic import ValidationError

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.stored_values import instant, share, text, texts, whole
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.core.run_address import run_address
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.core.text.web_address import web_address
from entity_pipeline.domains.entities.accounts.logic.standing import AccountFacts, standing
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import EntityTable
from entity_pipeline.domains.entities.page.account_values import (
    AccountFigures,
    EvidenceFigures,
    FactFigures,
    LinkFigures,
    ProfileFigures,
    ReviewFigures,
    ScoredField,
)
from entity_pipeline.domains.entities.page.history import history_row
from entity_pipeline.domains.entities.page.queries.account import (
    AccountRow,
    account_row,
    audit_entries,
    entity_name,
)
from entity_pipeline.domains.entities.page.queue import is_unproven, shown_cohort
from entity_pipeline.domains.entities.page.queue_values import Count
from entity_pipeline.domains.entities.settings import Thresholds

MOST_ROWS = 100
NOTHING_USD = Decimal(0)
_SCORED = ("account_type", "account_role", "name_en", "name_ko", "entity_region_code", "country_of_origin")


def account_figures(
    connection: Connection,
    username: str,
    thresholds: Thresholds,
    at: Installation,
) -> AccountFigures | None:
    """All figures but the ledger's rows, which are in the other database; None when the account does not exist."""
    row = account_row(connection, username)
    if row is None:
        return None
    stands = standing(_facts(row))
    enrichment = json_object(row.enrichment)
    link = json_object(enrichment.get("catalog_link"))
    table, entity_id = _entity(link)
    tagging = json_object(enrichment.get("tagging"))
    return AccountFigures(
        id=row.id,
        username=row.username,
        handle=handle_or_none(row.username),
        is_active=row.is_active,
        state=stands.state,
        is_unproven=is_unproven(row.account_type, stands.reasons),
        name_en=row.name_en,
        name_ko=row.name_ko,
        type=row.account_type,
        role=row.role,
        region=row.region,
        cohort=shown_cohort(stands.cohort),
        posts=stands.posts,
        first_tagged_at=instant(tagging.get("first_tagged_at")),
        last_tagged_at=instant(tagging.get("last_tagged_at")),
        sample_posts=texts(tagging.get("sample_posts")),
        posts_shown=None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        profile=_profile(row, json_object(enrichment.get("profile_backfill"))),
        review=_review(json_object(enrichment.get("gemini_review")), thresholds),
        link=_link(connection, link, table, entity_id, at.dagster_url),
        history=[
            history_row(entry, at.dagster_url)
            for entry in audit_entries(connection, row.id, table, entity_id, MOST_ROWS)
        ],
        ledger=None,
        cost_usd=None,
        edit_url=f"{at.edit_url}/{row.id}" if at.edit_url else None,
    )


def _facts(row: AccountRow) -> AccountFacts:
    return AccountFacts(
        id=row.id,
        username=row.username,
        name_en=row.name_en,
        name_ko=row.name_ko,
        account_type=row.account_type,
        account_role=row.role,
        region=row.region,
        is_active=row.is_active,
        is_usable=row.is_usable,
        created_at=row.created_at,
        updated_at=row.updated_at,
        enrichment=row.enrichment,
    )


def suggestions_of(connection: Connection, username: str) -> str | None:
    """Google's search suggestions as HTML, as stored; it may hold anything."""
    row = account_row(connection, username)
    review = json_object(json_object(row.enrichment if row else None).get("gemini_review"))
    return text(review.get("search_entry_point"))


def _profile(row: AccountRow, stored: Mapping[str, Any]) -> ProfileFigures:
    written = stored.get("fields_written")
    history = stored.get("history")
    return ProfileFigures(
        status=text(stored.get("status")) or "pending",
        outcome=text(stored.get("outcome")),
        display_name=row.display_name,
        bio=row.bio,
        image_url=web_address(json_object(stored.get("image")).get("url"))
        or web_address(row.profile_image_url),
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
    said = json_object(stored.get("review"))
    scores = json_object(said.get("field_confidence"))
    evidence = stored.get("evidence")
    grounded = stored.get("grounded")
    error = json_object(stored.get("error"))
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
                uri=web_address(item.get("uri")),
                title=text(item.get("title")),
                names_account=item.get("names_account") is True,
            )
            for item in (evidence if isinstance(evidence, list) else [])
            if isinstance(item, Mapping)
        ],
        search_queries=texts(stored.get("search_queries")),
        has_search_suggestions=_shows_something(text(stored.get("search_entry_point"))),
        model=text(stored.get("model")),
        model_version=text(stored.get("model_version")),
        prompt_version=text(stored.get("prompt_version")),
        reviewed_at=instant(stored.get("reviewed_at")),
        attempts=whole(stored.get("attempts")),
        next_attempt_at=instant(stored.get("next_attempt_at")),
        error=text(error.get("detail")) or text(error.get("reason")),
        notes=texts(stored.get("notes")),
    )


def _shows_something(html: str | None) -> bool:
    """Whether Google's suggestions have a link or any text besides their style."""
    content = re.sub(r"<style.*?</style>", "", html or "", flags=re.DOTALL | re.IGNORECASE)
    return "<a" in content.lower() or bool(re.sub(r"<[^>]*>", "", content).strip())


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
            Count(value=reason, accounts=1, meaning=HoldReason(reason).reason if reason in known else None)
            for reason in texts(stored.get("reasons"))
        ],
        facts=list(_facts_of_hold(json_object(stored.get("facts")))),
        rules_version=text(stored.get("rules_version")),
        run_id=run_id,
        run_url=run_address(dagster_url, run_id),
        linked_at=instant(stored.get("linked_at")),
    )


def _facts_of_hold(stored: Mapping[str, Any]) -> Iterator[FactFigures]:
    for reason, facts in stored.items():
        for fact in facts if isinstance(facts, list) else []:
            known = json_object(fact)
            try:
                yield FactFigures(
                    reason=reason,
                    kind=known.get("kind"),
                    text=text(known.get("text")) or "",
                    table=known.get("table"),
                    id=known.get("id"),
                )
            except ValidationError:
                continue  # of another release


def _entity(link: Mapping[str, Any]) -> tuple[EntityTable | None, UUID | None]:
    try:
        return EntityTable(str(link.get("entity_table"))), UUID(str(link.get("entity_id")))
    except ValueError:
        return None, None
