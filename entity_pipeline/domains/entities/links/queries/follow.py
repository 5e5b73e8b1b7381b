"""Move the links of an account's former handles to its present row, in one transaction of their own.

The former row loses the link as the present one gets it, because an entity has one primary account. The rules are in
`logic/follow.py`; the decision about the present row comes after, as for every linked account.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import update_of_stage
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN, EntityKey, Fact, FactKind
from entity_pipeline.domains.entities.links.logic.follow import (
    Placed,
    entity_to_follow,
    followed_columns,
    former_rows,
    is_former,
    may_follow,
    second_entity,
)
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.queries.catalog_rows import (
    ACCOUNTS,
    ask_accounts_locked,
    ask_linked,
    load_account,
)
from entity_pipeline.domains.entities.links.queries.catalog_write import (
    STAGE,
    LinkOutcome,
    Writing,
    ask_entity,
    catalog_link_of,
)
from entity_pipeline.domains.entities.links.undo import take_back
from entity_pipeline.domains.entities.models import Account, AccountRole
from entity_pipeline.shared.database.round_trip import RoundTrip

_POINTER = "primary_instagram_account_id"


@dataclass(frozen=True, slots=True)
class Following:
    """The common input of one transaction: the run that moves, and when."""

    run_id: str
    now: datetime


def follow_former_handles(
    connection: psycopg.Connection[Any], account: Account, run: Following
) -> tuple[HoldReason, ...]:
    """Move the links of all former handles of `account`, as it was read. Call it outside of any transaction.

    Returns the reason if some links had to stay, with which the account is now held; else nothing.
    """
    ids = sorted({account.id, *former_rows(account)})
    with connection.transaction():
        trip = RoundTrip(connection)
        # A stricter level, if it is the server's default, would read the state before the locks.
        trip.add("set transaction isolation level read committed")
        locked = ask_accounts_locked(trip, ids)
        trip.go()
        rows = locked.value
        present = rows.get(account.id)
        if present is None or not may_follow(present):
            return ()
        stayed: list[str] = []
        for row in rows.values():
            if row.id != present.id and is_former(row, present):
                moved = _follow(connection, present, row, run)
                present = moved or present
                stayed += [row.username] if moved is None else []
        if stayed:
            _hold(trip, present, run, stayed)
        trip.go()
    return (HoldReason.FORMER_LINKS,) if stayed else ()


def hold_former_links(connection: psycopg.Connection[Any], account: Account, run: Following) -> None:
    """Hold the account because the catalog refused to move a link."""
    with connection.transaction():
        trip = RoundTrip(connection)
        locked = ask_accounts_locked(trip, [account.id])
        trip.go()
        if (present := locked.value.get(account.id)) is not None:
            _hold(trip, present, run)
            trip.go()


def _follow(
    connection: psycopg.Connection[Any], account: Account, former_row: Account, run: Following
) -> Account | None:
    """Move one former row's links. Returns the present row as it is then; None if they have to stay."""
    trip = RoundTrip(connection)
    present, former = (_ask_placed(trip, row) for row in (account, former_row))
    trip.go()
    key = entity_to_follow(present(), former())
    if key is None:
        return account
    if isinstance(key, HoldReason):
        second = second_entity(present(), former())
        return _follow_in_place_of(connection, account, former_row, run, second) if second else None
    moved = _move(trip, present(), former_row, key, run)
    trip.go()
    return moved


def _follow_in_place_of(
    connection: psycopg.Connection[Any],
    account: Account,
    former_row: Account,
    run: Following,
    second: EntityKey,
) -> Account | None:
    """Remove the entity that we created for the present row before its id was seen, then move the links.

    Nothing changes, and None is returned, if the entity is not ours alone any more or the links can't follow.
    """
    moved = None
    with connection.transaction():
        removed = {(item.table, item.target_id) for item in take_back(connection, account.id).removed}
        alone = load_account(connection, account.id) if second in removed else None
        moved = _follow(connection, alone, former_row, run) if alone is not None else None
        if moved is None:
            raise psycopg.Rollback
    return moved


def _move(
    trip: RoundTrip, present: Placed, former_row: Account, key: EntityKey, run: Following
) -> Account | None:
    account = present.account
    row, ours = ask_entity(trip, *key)
    trip.go()
    if row.value is None:
        return None
    is_pointed_at = row.value.get(_POINTER) == str(former_row.id)
    if is_pointed_at and ours.value.get(_POINTER) != str(former_row.id):
        return None
    columns = followed_columns(
        present,
        former_row,
        key,
        is_primary=is_pointed_at or former_row.entity_ig_role == AccountRole.PRIMARY,
    )
    if not (columns.get("entity_ig_role") or account.entity_ig_role):
        return None
    audit = {
        "run_id": run.run_id,
        "account": account.username,
        "account_id": str(account.id),
        "former": former_row.username,
    }
    _release(trip, former_row, key, run, audit)
    if is_pointed_at:
        _point_at(trip, key, former_row, account, audit)
    return _take_over(trip, account, columns, key, run, audit)


def _release(trip: RoundTrip, former: Account, key: EntityKey, run: Following, audit: dict[str, str]) -> None:
    table, entity_id = key
    column = LINK_COLUMN[table]
    changes: dict[str, str | None] = {column: None} if table in former.links else {}
    if changes:
        before = {column: str(entity_id)}
        entity_audit.add(
            trip, "moved", table=ACCOUNTS, target_id=former.id, before=before, after=changes, metadata=audit
        )
    link = _held(trip, former, run, HoldReason.RENAMED, [audit["account"]])
    trip.add(*update_of_stage(former.id, STAGE, link, changes))


def _point_at(
    trip: RoundTrip, key: EntityKey, former: Account, account: Account, audit: dict[str, str]
) -> None:
    table, entity_id = key
    query = sql.SQL("update {} set {} = %(account)s, updated_at = now() where id = %(id)s").format(
        sql.Identifier(table), sql.Identifier(_POINTER)
    )
    trip.add(query, {"account": account.id, "id": entity_id})
    before, after = {_POINTER: str(former.id)}, {_POINTER: str(account.id)}
    entity_audit.add(
        trip, "moved", table=table, target_id=entity_id, before=before, after=after, metadata=audit
    )


def _take_over(
    trip: RoundTrip,
    account: Account,
    columns: dict[str, str],
    key: EntityKey,
    run: Following,
    audit: dict[str, str],
) -> Account:
    table, entity_id = key
    links = {name: str(account.links[other]) for other, name in LINK_COLUMN.items() if other in account.links}
    if columns:
        before = {column: links.get(column, getattr(account, column, None)) for column in columns}
        entity_audit.add(
            trip, "moved", table=ACCOUNTS, target_id=account.id, before=before, after=columns, metadata=audit
        )
    role = columns.get("entity_ig_role", account.entity_ig_role)
    outcome = LinkOutcome.LINKED if role == AccountRole.PRIMARY else LinkOutcome.ATTACHED
    link = catalog_link_of(_writing(trip, account, run), outcome, table, entity_id, ())
    trip.add(*update_of_stage(account.id, STAGE, link, columns))
    own = {name: value for name, value in columns.items() if name not in LINK_COLUMN.values()}
    return replace(account, links={**account.links, table: entity_id}, **own)  # type: ignore[arg-type]


def _hold(trip: RoundTrip, account: Account, run: Following, stayed: Sequence[str] = ()) -> None:
    link = _held(trip, account, run, HoldReason.FORMER_LINKS, stayed)
    trip.add(*update_of_stage(account.id, STAGE, link))


def _held(
    trip: RoundTrip, account: Account, run: Following, reason: HoldReason, handles: Sequence[str]
) -> dict[str, Any]:
    link = catalog_link_of(_writing(trip, account, run), LinkOutcome.HELD, None, None, (reason,))
    facts = [Fact(FactKind.ACCOUNT, handle).to_json() for handle in handles]
    return {**link, "facts": {reason.value: facts}} if facts else link


def _writing(trip: RoundTrip, account: Account, run: Following) -> Writing:
    return Writing(trip, account, {}, {}, run.run_id, run.now)


def _ask_placed(trip: RoundTrip, account: Account) -> Callable[[], Placed]:
    ours = entity_audit.ask_ours(trip, ACCOUNTS, account.id)
    linked = ask_linked(trip, account.id)
    return lambda: Placed(account, ours.value, linked.value)
