"""One write of each kind that the domain makes, through the functions of its stages; see `core/trials.py`.

Each trial makes the account that it needs, so that one refusal does not hide the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from entity_pipeline.core.audit import COMMAND_ACTOR
from entity_pipeline.core.trials import TRIAL_HANDLE, Trial
from entity_pipeline.domains.entities.accounts.logic.standing import AccountFacts, standing
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import write_stage
from entity_pipeline.domains.entities.accounts.queries.intake import write_totals
from entity_pipeline.domains.entities.accounts.queries.intake_days import DayState, note_days
from entity_pipeline.domains.entities.accounts.queries.queue_rows import (
    forget_accounts,
    list_accounts,
    note_comparison,
    note_pass,
    read_sweep,
)
from entity_pipeline.domains.entities.audit import entity_audit
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
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.logic.undo import POINTER
from entity_pipeline.domains.entities.links.queries.catalog_rows import ACCOUNTS, load_account
from entity_pipeline.domains.entities.links.queries.catalog_write import (
    Applied,
    CannotHold,
    LockedEntity,
    Writing,
    ask_entity,
    write,
)
from entity_pipeline.domains.entities.links.queries.undo import locked_row, mark_undone, remove, restore
from entity_pipeline.domains.entities.links.queries.vocabulary import load_vocabulary
from entity_pipeline.domains.entities.models import TABLE_OF_TYPE, AccountRole, AccountType, EntityTable
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.tags.logic.tally import DayTally, TaggedPost, seen_in
from entity_pipeline.domains.entities.tags.queries.tagged_days import note_day
from entity_pipeline.domains.entities.tags.queries.tagged_usernames import replace_day
from entity_pipeline.shared.database.round_trip import RoundTrip
from entity_pipeline.shared.trials import ledger_trials

_A_DAY = date(2000, 1, 1)  # before every partition
_TYPE_OF_TABLE = {table: account_type for account_type, table in TABLE_OF_TYPE.items()}
_ID = "select id from instagram_accounts where username = %s"
_MAY_DELETE = "select has_table_privilege(to_regclass(%s), 'delete')"


def _account(connection: Connection[Any], handle: str = TRIAL_HANDLE) -> UUID:
    """A new account, as the intake adds it."""
    _totals(connection, posts=1, handle=handle)
    found = connection.execute(_ID, [handle]).fetchone()
    assert found is not None
    account_id: UUID = found[0]
    return account_id


def _totals(connection: Connection[Any], posts: int, handle: str = TRIAL_HANDLE) -> None:
    row = f'{handle}\t{FIRST_DAY}\t{FIRST_DAY}\t{{"posts": {posts}}}\n'
    write_totals(connection, row.encode(), FIRST_DAY, last_day(datetime.now(UTC)))


def _counted_again(connection: Connection[Any]) -> None:
    _account(connection)
    _totals(connection, posts=2)


def _profile(connection: Connection[Any]) -> None:
    columns = {"display_name": "Doctor", "bio": "Doctor", "profile_image_url": "https://doctor.invalid/a.jpg"}
    write_stage(connection, _account(connection), "profile_backfill", {"status": "done"}, columns)


def _review(connection: Connection[Any]) -> None:
    write_stage(connection, _account(connection), "gemini_review", {"status": "reviewed"})


def _classified(connection: Connection[Any]) -> None:
    """An account that is not for the catalog, with its type and region."""
    wish = AccountWish(account_type=AccountType.OTHER, entity_region_code="KR")
    _decide(connection, _account(connection), Exclude(wish))


def _created(connection: Connection[Any], table: EntityTable) -> tuple[UUID, UUID]:
    """A new entity with its account: the ids of both, the account's first."""
    account_id = _account(connection)
    entity = EntityWish(account_id, name_en=TRIAL_HANDLE)
    applied = _decide(connection, account_id, Create(table, _wish(table), entity))
    return account_id, applied.entity_id or uuid4()


def _linked(connection: Connection[Any], table: EntityTable) -> None:
    account_id, entity_id = _created(connection, table)
    picture = "https://doctor.invalid/a.jpg"
    entity = EntityWish(account_id, name_ko="시험", image_url=picture, country_of_origin="KR")
    _decide(connection, account_id, Link(table, entity_id, _wish(table), entity))


def _attached(connection: Connection[Any], table: EntityTable) -> None:
    _, entity_id = _created(connection, table)
    another = _account(connection, f"{TRIAL_HANDLE}.2")
    wish = replace(_wish(table), entity_ig_role=AccountRole.SECONDARY)
    _decide(connection, another, Attach(table, entity_id, wish))


def _undone(connection: Connection[Any], table: EntityTable) -> None:
    """What `undo` does to an entity that was created. Only for roles that may: the pipeline's own need not."""
    if connection.execute(_MAY_DELETE, [table.value]).fetchone() != (True,):
        return
    account_id, entity_id = _created(connection, table)
    for row in entity_audit.history(connection, table, entity_id):
        before = locked_row(connection, table, entity_id) or {}
        restore(connection, ACCOUNTS, account_id, {LINK_COLUMN[table]: None})
        restore(connection, table, entity_id, {POINTER: None})
        remove(connection, table, entity_id)
        entity_audit.insert_undo(connection, row, before=before, after=None, metadata={}, actor=COMMAND_ACTOR)
    mark_undone(connection, account_id, "created")


def _wish(table: EntityTable) -> AccountWish:
    return AccountWish(
        account_type=_TYPE_OF_TABLE[table],
        entity_ig_role=AccountRole.PRIMARY,
        name_en=TRIAL_HANDLE,
        name_ko="시험",
    )


def _decide(connection: Connection[Any], account_id: UUID, decision: Decision) -> Applied:
    account = load_account(connection, account_id)
    assert account is not None
    trip, vocabulary = RoundTrip(connection), load_vocabulary(connection)
    writing = Writing(trip, account, {}, vocabulary, run_id=TRIAL_HANDLE, now=datetime.now(UTC))
    if isinstance(decision, Link):
        row, ours = ask_entity(trip, decision.table, decision.entity_id)
        trip.go()
        writing = replace(writing, entity=LockedEntity(row.value or {}, ours.value))
    try:
        applied = write(writing, decision)
    except CannotHold:  # an account is held then; nothing is refused
        writing = replace(writing, trip=RoundTrip(connection), notes=[])
        applied = write(writing, Hold((HoldReason.VALUE_NOT_IN_ENUM,)))
    writing.trip.go()
    return applied


def _tagged(connection: Connection[Any]) -> None:
    tally = DayTally(_A_DAY)
    tally.add(TaggedPost(seen_in(datetime(2000, 1, 1, tzinfo=UTC), uuid4()), f'["{TRIAL_HANDLE}"]', 1))
    rows = replace_day(connection, _A_DAY, [tally])
    note_day(connection, _A_DAY, tally.counts, usernames=rows.inserted, is_changed=True)
    replace_day(connection, _A_DAY, [])


def _taken_in(connection: Connection[Any]) -> None:
    note_days(connection, {_A_DAY: DayState(datetime.now(UTC), usernames=1, accounts=1)})


def _listed(connection: Connection[Any]) -> None:
    now, account_id = datetime.now(UTC), uuid4()
    facts = AccountFacts(
        id=account_id,
        username=TRIAL_HANDLE,
        name_en=TRIAL_HANDLE,
        name_ko="시험",
        account_type="brand",
        account_role="primary",
        region="KR",
        is_active=True,
        is_usable=True,
        created_at=now,
        updated_at=now,
        enrichment={},
    )
    list_accounts(connection, [standing(facts)], now)
    forget_accounts(connection, [account_id], now)


def _followed(connection: Connection[Any]) -> None:
    if (sweep := read_sweep(connection)) is not None:
        note_pass(connection, sweep)
        note_comparison(connection, sweep)


def _on_accounts(what: str, attempt: Callable[[Connection[Any]], object]) -> Trial:
    return Trial("operation", ACCOUNTS, what, attempt)


def _of_tables(what: str, attempt: Callable[..., object]) -> Iterator[Trial]:
    for table in EntityTable:
        yield Trial("operation", table, f"{what} {table}", partial(attempt, table=table))


INTAKE = (_on_accounts("a new account", _account), _on_accounts("an account's new totals", _counted_again))
REVIEWS = (_on_accounts("a review", _review),)
LINKS = (
    _on_accounts("an account's classification", _classified),
    *_of_tables("a new row of", _created),
    *_of_tables("a link to a row of", _linked),
    *_of_tables("a second account for a row of", _attached),
)
TRIALS = (
    Trial("assets", "tagged_usernames", "a day's tagged usernames", _tagged),
    Trial("assets", "intake_days", "a day that was taken in", _taken_in),
    Trial("assets", "enrichment_queue", "a row of the list of accounts", _listed),
    Trial("assets", "enrichment_queue_sweep", "the progress of the list of accounts", _followed),
    *ledger_trials(STEP),
    *INTAKE,
    *REVIEWS,
    _on_accounts("an account's profile", _profile),
    *LINKS,
    *_of_tables("the undoing of a new row of", _undone),
)
