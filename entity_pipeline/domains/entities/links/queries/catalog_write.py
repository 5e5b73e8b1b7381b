"""Write one decision: the entity, the account's columns, the audit rows and `catalog_link`.

A value that a person wrote is kept, and nothing is written if the row already has the values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql

from entity_pipeline.core.clock import utc_text
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import update_of_stage
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.domains.entities.links.logic.decide import RULES_VERSION
from entity_pipeline.domains.entities.links.logic.decisions import (
    LINK_COLUMN,
    AccountWish,
    Attach,
    Create,
    Decision,
    EntityWish,
    Exclude,
    Hold,
    Link,
)
from entity_pipeline.domains.entities.links.logic.gates import section
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.queries.catalog_rows import ACCOUNTS, IMAGE_COLUMN
from entity_pipeline.domains.entities.links.queries.vocabulary import Vocabulary
from entity_pipeline.domains.entities.models import Account, EntityTable
from entity_pipeline.shared.audit.provenance import fill, is_blank
from entity_pipeline.shared.database.round_trip import RoundTrip, RoundTripAnswer

STAGE = "catalog_link"
_UNKNOWN = "unknown"


class LinkOutcome(StrEnum):
    """The result for one account; all but the last two are values of `catalog_link.status`."""

    LINKED = "linked"
    CREATED = "created"
    ATTACHED = "attached"
    EXCLUDED = "excluded"
    HELD = "held"
    UNDONE = "undone"
    MISSING = "missing"  # the account row is gone
    REFUSED = "refused"  # the database takes no write to the account's row


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of one decision. `written` names what changed, for example ``"brands.name_ko"``.

    `followers` are accounts that were held because this one was not linked yet. `said` is the database's message if
    it refused every write.
    """

    outcome: LinkOutcome
    entity_table: EntityTable | None = None
    entity_id: UUID | None = None
    reasons: tuple[HoldReason, ...] = ()
    written: tuple[str, ...] = ()
    followers: tuple[UUID, ...] = ()
    said: str | None = None


@dataclass(frozen=True, slots=True)
class LockedEntity:
    """An entity's row under its lock, and the values of our own last write to its columns."""

    row: Mapping[str, Any]
    ours: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Writing:
    """One account, locked, and everything its writes need. `entity` is the one that the decision names.

    The writes are added to `trip`. `notes` collects values that had to be left out.
    """

    trip: RoundTrip
    account: Account
    ours: Mapping[str, Any]
    vocabulary: Vocabulary
    run_id: str
    now: datetime
    entity: LockedEntity | None = None
    notes: list[HoldReason] = field(default_factory=list)

    def audit(
        self,
        verb: str,
        table: str,
        target_id: UUID,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
    ) -> None:
        """The audit row of one written row; without `after`, of one just created."""
        metadata = {
            "run_id": self.run_id,
            "rules_version": RULES_VERSION,
            "account": self.account.username,
            "account_id": str(self.account.id),
        }
        said = json_object(section(self.account, "gemini_review").get("review"))
        if after and after.get("account_type") not in (None, said.get("account_type")):
            metadata["overruled"] = f"{said.get('account_type')} of the field {said.get('field')}"
        entity_audit.add(
            self.trip,
            verb,
            table=table,
            target_id=target_id,
            before=before,
            after=after,
            metadata=metadata,
        )


class CannotHold(Exception):
    """A column of this installation can't hold the role, and a linked account must have one."""


def write(writing: Writing, decision: Decision) -> Applied:
    """Add the writes of `decision` that people's values allow to the round trip, which sends them.

    Raises:
        CannotHold: the role column lacks the role that a link needs; discard the round trip.
    """
    account = writing.account
    table: EntityTable | None = None
    entity_id: UUID | None = None
    reasons: tuple[HoldReason, ...] = ()
    written: list[str] = []
    match decision:
        case Hold(held, certain):
            outcome, reasons, wish, verb = LinkOutcome.HELD, held, certain or AccountWish(), "classified"
        case Exclude(wish):
            outcome, verb = LinkOutcome.EXCLUDED, "classified"
        case Create(table, wish, entity):
            outcome, verb = LinkOutcome.CREATED, "created"
            entity_id = _create(writing, table, entity)
            written.append(f"{table}.id")
        case Link(table, entity_id, wish, entity):
            outcome, verb = LinkOutcome.LINKED, "linked"
            written += (f"{table}.{column}" for column in _update_entity(writing, table, entity_id, entity))
        case Attach(table, entity_id, wish):
            outcome, verb = LinkOutcome.ATTACHED, "attached"
    changes = _account_changes(writing, wish, {LINK_COLUMN[table]: str(entity_id)} if table else {})
    if changes:
        before = {column: _current(account, column) for column in changes}
        writing.audit(verb, ACCOUNTS, account.id, before, changes)
        written += (f"{ACCOUNTS}.{column}" for column in changes)
    outcome = _unless_created_before(account, outcome, entity_id)
    reasons = tuple(dict.fromkeys((*reasons, *writing.notes)))
    link = catalog_link_of(writing, outcome, table, entity_id, reasons)
    if isinstance(decision, Hold) and decision.facts:
        link["facts"] = {
            reason.value: [fact.to_json() for fact in facts] for reason, facts in decision.facts.items()
        }
    if written or _differs(account, link):
        writing.trip.add(*update_of_stage(account.id, STAGE, link, changes))
        written.append(f"{ACCOUNTS}.metadata")
    return Applied(outcome, table, entity_id, reasons, tuple(written))


def ask_entity(
    trip: RoundTrip, table: EntityTable, entity_id: UUID
) -> tuple[RoundTripAnswer[dict[str, Any] | None], RoundTripAnswer[dict[str, Any]]]:
    """The entity's row, locked until the transaction ends (None if it is gone), and our last writes to it."""
    query = sql.SQL("select to_jsonb(e) as row from {} e where id = %s for no key update").format(
        sql.Identifier(table)
    )
    row: RoundTripAnswer[dict[str, Any] | None] = trip.ask(
        query, [entity_id], lambda rows: rows[0]["row"] if rows else None
    )
    return row, entity_audit.ask_ours(trip, table, entity_id)


def _account_changes(writing: Writing, wish: AccountWish, link: Mapping[str, str]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for column, value in {**wish.columns(), **link}.items():
        allowed = writing.vocabulary.get(column)
        current = _current(writing.account, column)
        if value == _UNKNOWN and (
            not is_blank(column, current) or (allowed is not None and value not in allowed)
        ):
            continue  # it replaces nothing, and an older enum need not have it
        if allowed is not None and value not in allowed:
            writing.notes.append(HoldReason.VALUE_NOT_IN_ENUM)
            continue
        filled = fill(current, value, writing.ours.get(column), column=column)
        if filled is not None:
            changes[column] = filled
    role = changes.get("entity_ig_role", writing.account.entity_ig_role)
    if link and is_blank("entity_ig_role", role):
        raise CannotHold
    return changes


def _current(account: Account, column: str) -> str | None:
    for table, name in LINK_COLUMN.items():
        if name == column:
            return str(account.links[table]) if table in account.links else None
    value: str | None = getattr(account, column)
    return value


def _entity_columns(table: EntityTable, wish: EntityWish) -> dict[str, str]:
    columns = {
        "name_en": wish.name_en,
        "name_ko": wish.name_ko,
        IMAGE_COLUMN[table]: wish.image_url,
        "primary_instagram_account_id": str(wish.primary_account_id),
    }
    if table is EntityTable.BRANDS:
        columns["country_of_origin"] = wish.country_of_origin
    return {column: value for column, value in columns.items() if value is not None}


def _create(writing: Writing, table: EntityTable, wish: EntityWish) -> UUID:
    columns = _entity_columns(table, wish)
    if table is EntityTable.BRANDS:
        columns.setdefault("country_of_origin", "NA")  # the only place where unknown becomes 'NA'
    entity_id = uuid4()
    columns["id"] = str(entity_id)
    query = sql.SQL("insert into {table} ({columns}) values ({values})").format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )
    writing.trip.add(query, columns)
    writing.audit("created", table, entity_id, None, None)
    return entity_id


def _update_entity(writing: Writing, table: EntityTable, entity_id: UUID, wish: EntityWish) -> list[str]:
    assert writing.entity is not None  # a link is decided again under the entity's lock
    row, last = writing.entity.row, writing.entity.ours
    changes: dict[str, str] = {}
    for column, value in _entity_columns(table, wish).items():
        filled = fill(row.get(column), value, last.get(column), column=column)
        if filled is not None:
            changes[column] = filled
    if changes:
        query = sql.SQL("update {table} set {assignments}, updated_at = now() where id = %(id)s").format(
            table=sql.Identifier(table), assignments=_assignments(changes)
        )
        writing.trip.add(query, {**changes, "id": entity_id})
        writing.audit("linked", table, entity_id, {column: row.get(column) for column in changes}, changes)
    return list(changes)


def _assignments(columns: Mapping[str, Any]) -> sql.Composed:
    pairs = (sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns)
    return sql.SQL(", ").join(pairs)


def _unless_created_before(account: Account, outcome: LinkOutcome, entity_id: UUID | None) -> LinkOutcome:
    """The outcome stays "created" when the account is decided again and found linked to an entity we created."""
    before = section(account, "catalog_link")
    same = before.get("entity_id") == str(entity_id) and before.get("status") == LinkOutcome.CREATED
    return LinkOutcome.CREATED if outcome is LinkOutcome.LINKED and same else outcome


def catalog_link_of(
    writing: Writing,
    outcome: LinkOutcome,
    table: EntityTable | None,
    entity_id: UUID | None,
    reasons: tuple[HoldReason, ...],
) -> dict[str, Any]:
    """The account's `catalog_link` after this decision."""
    picture = section(writing.account, "profile_backfill").get("image")
    return {
        "status": outcome.value,
        "entity_table": None if table is None else table.value,
        "entity_id": None if entity_id is None else str(entity_id),
        "reasons": [reason.value for reason in reasons],
        "rules_version": RULES_VERSION,
        # The review that was decided on: a newer one makes the account undecided again.
        "reviewed_at": section(writing.account, "gemini_review").get("reviewed_at"),
        # Likewise the picture, which may arrive after the review and should reach the entity too.
        "picture": picture.get("sha256") if isinstance(picture, Mapping) else None,
        "run_id": writing.run_id,
        "linked_at": utc_text(writing.now),
    }


def _differs(account: Account, link: Mapping[str, Any]) -> bool:
    before = section(account, "catalog_link")
    return any(before.get(key) != value for key, value in link.items() if key not in ("run_id", "linked_at"))
