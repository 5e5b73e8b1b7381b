"""The catalog rows that concern one account: the account, its candidates, and the accounts that wait for it.

Names are looked up through `entity_pipeline_name_key` and its indexes; the results are only candidates until
`language/same_name.py` agrees.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.domains.entities.language.same_name import (
    near_forms,
    near_spellings,
    spellings,
)
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN, Candidates, PrimaryAccount
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.logic.names import forms_of, names_of
from entity_pipeline.domains.entities.models import TABLE_OF_TYPE, Account, Entity, EntityTable, Review
from entity_pipeline.shared.database.round_trip import RoundTrip, RoundTripAnswer, Rows

ACCOUNTS = "instagram_accounts"

IMAGE_COLUMN: Mapping[EntityTable, str] = {
    EntityTable.ARTISTS: "profile_image_url",
    EntityTable.BRANDS: "logo_image_url",
    EntityTable.GROUPS: "profile_image_url",
}


def handle_of(name: str) -> str:
    """The handle of a stored name in SQL: the expression of the index entity_pipeline_accounts_handle."""
    return f"lower(ltrim(btrim({name}), '@'))"


_ACCOUNT = """
select id, username, name_en, name_ko, display_name, bio, profile_image_url,
       account_type::text as account_type, entity_ig_role::text as entity_ig_role, entity_region_code,
       is_active, artist_id, brand_id, group_id,
       metadata -> 'entity_enrichment' as enrichment,
       coalesce(
         (select jsonb_build_object('name_en', e.name_en, 'name_ko', e.name_ko,
                                    'country_of_origin', nullif(e.country_of_origin, 'NA'))
          from brands e where e.id = brand_id),
         (select jsonb_build_object('name_en', e.name_en, 'name_ko', e.name_ko) from artists e where e.id = artist_id),
         (select jsonb_build_object('name_en', e.name_en, 'name_ko', e.name_ko) from groups e where e.id = group_id),
         '{}') as linked_entity
from instagram_accounts
"""

# An entity's primary account is the one it names, or else the one that is linked to it in the primary role.
_ENTITY = """
select '{table}' as table, e.id, e.name_en, e.name_ko, e.{image} as image_url, {country} as country_of_origin,
       coalesce(e.primary_instagram_account_id,
                (select a.id from instagram_accounts a
                 where a.{link} = e.id and a.entity_ig_role::text = 'primary' order by a.id limit 1)
       ) as primary_account_id
from {table} e
"""
_WITH_PRIMARY = """
select found.*, a.username as primary_username
from ({entities}) found left join instagram_accounts a on a.id = found.primary_account_id
order by 1, 2
"""
_OF_ACCOUNT = """where e.primary_instagram_account_id = %(account)s
    or e.id = (select a.{link} from instagram_accounts a where a.id = %(account)s)
"""
# A review may still name an account by a former handle.
_HANDLES = f"""any(array(select %(handle)s union all
    select {handle_of("p.metadata -> 'entity_enrichment' -> 'profile_backfill' -> 'renamed_to' ->> 'username'")}
    from instagram_accounts p where {handle_of("p.username")} = %(handle)s))"""
_OF_PRIMARY = f"""where e.primary_instagram_account_id
      = any(array(select a.id from instagram_accounts a where {handle_of("a.username")} = {_HANDLES}))
    or e.id = any(array(select a.{{link}} from instagram_accounts a where {handle_of("a.username")} = {_HANDLES}))
"""
_NAMED = """where entity_pipeline_name_key(e.name_en) = any(array(
        select entity_pipeline_name_key(name) from unnest(%(names)s::text[]) name))
    or entity_pipeline_name_key(e.name_ko) = any(array(
        select entity_pipeline_name_key(name) from unnest(%(names)s::text[]) name))
"""

_BY_HANDLE = f"""
select id from instagram_accounts where {handle_of("username")} = %s order by is_active desc, username = %s desc, id
"""

_WAITING = f"""
select id from instagram_accounts
where metadata #>> '{{entity_enrichment,gemini_review,review,primary_username}}' = %s
  and metadata #>> '{{entity_enrichment,catalog_link,status}}' = 'held'
  and metadata #> '{{entity_enrichment,catalog_link,reasons}}' ? '{HoldReason.PRIMARY_NOT_LINKED}'
order by id
"""


def load_account(
    connection: psycopg.Connection[Any], account_id: UUID, for_update: bool = False
) -> Account | None:
    """The account for the decision, or None if the row is gone.

    `for_update` locks it against every other writer until the transaction ends, but not against readers and foreign
    keys.
    """
    trip = RoundTrip(connection)
    asked = ask_account(trip, account_id, for_update=for_update)
    trip.go()
    return asked.value


def load_accounts(connection: psycopg.Connection[Any], ids: Sequence[UUID]) -> dict[UUID, Account]:
    """The accounts that exist, by id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_ACCOUNT + "where id = any(%s)", [list(ids)]).fetchall()
    return {row["id"]: _account(row) for row in rows}


def ask_account(trip: RoundTrip, account_id: UUID, *, for_update: bool) -> RoundTripAnswer[Account | None]:
    """Ask for the account as `load_account` does."""
    query = _ACCOUNT + "where id = %s" + (" for no key update" if for_update else "")
    return trip.ask(query, [account_id], lambda rows: _account(rows[0]) if rows else None)


def ask_accounts_locked(trip: RoundTrip, ids: Sequence[UUID]) -> RoundTripAnswer[dict[UUID, Account]]:
    """Ask for the accounts that exist, by id, each locked in order of its id as `load_account` locks it."""
    return trip.ask(
        _ACCOUNT + "where id = any(%s) order by id for no key update",
        [list(ids)],
        lambda rows: {row["id"]: _account(row) for row in rows},
    )


def ask_linked(trip: RoundTrip, account_id: UUID) -> RoundTripAnswer[tuple[Entity, ...]]:
    """Ask for the entities that the account points at or that point at it."""
    return _ask_entities(trip, EntityTable, _OF_ACCOUNT, account=account_id)


def load_account_of(connection: psycopg.Connection[Any], handle: str) -> Account | None:
    """The account with a normalised handle; of several spellings the one that is active and exact."""
    found = connection.execute(_BY_HANDLE, [handle, handle]).fetchone()
    return load_account(connection, found[0]) if found else None


def ask_candidates(
    trip: RoundTrip, account: Account, review: Review | None
) -> Callable[[Account], Candidates]:
    """Ask for all catalog rows that the decision about `account` may depend on.

    The returned function reads the results for the account as found under its lock, which may have other column
    values than `account` but must have the same handle, names and review.
    """
    linked = ask_linked(trip, account.id)
    ours = entity_audit.ask_ours(trip, ACCOUNTS, account.id)
    twins = _ask_same_handle(trip, account.handle, account.username)
    primary = handle_or_none(review.primary_username) if review else None
    primaries = _ask_same_handle(trip, primary, primary or "")
    homes = _ask_entities(trip, EntityTable if primary else (), _OF_PRIMARY, handle=primary)
    table = TABLE_OF_TYPE.get(review.account_type) if review else None
    named = _ask_entities(trip, EntityTable if table else (), _NAMED, names=_spellings(account, review))

    def read(as_it_is: Account) -> Candidates:
        around = Candidates(
            linked=linked.value,
            ours=ours.value,
            twins=tuple(other for other in twins.value if other != account.id),
            primary=PrimaryAccount(primaries.value[0], homes.value) if primaries.value else None,
        )
        if review is None:
            return around
        names = names_of(as_it_is, review, around)
        same = [item for item in named.value if not names.forms.isdisjoint(forms_of(item))]
        near = near_forms((names.en, names.ko))
        return replace(
            around,
            matches=tuple(item for item in same if item.table is table),
            elsewhere=tuple(item for item in same if item.table is not table),
            near=tuple(
                item
                for item in named.value
                if item.table is table and item not in same and not near.isdisjoint(forms_of(item))
            ),
        )

    return read


def ask_waiting_for(trip: RoundTrip, handle: str) -> RoundTripAnswer[tuple[UUID, ...]]:
    """Ask for accounts of any cohort to decide again: held because the account `handle` was not linked yet."""
    return trip.ask(_WAITING, [handle], _ids)


def _account(row: Mapping[str, Any]) -> Account:
    columns = dict(row)
    links = {table: columns.pop(column) for table, column in LINK_COLUMN.items()}
    enrichment = columns.pop("enrichment")
    return Account(
        **columns,
        handle=handle_or_none(columns["username"]),
        links={table: entity_id for table, entity_id in links.items() if entity_id is not None},
        enrichment=enrichment if isinstance(enrichment, dict) else {},
    )


def _spellings(account: Account, review: Review | None) -> list[str]:
    """Spellings of every name that the decision may use; which ones it uses depends on who wrote them."""
    names = (review.name_en, review.name_ko, account.name_en, account.name_ko) if review else ()
    written = [one for name in names if name for one in (name, *near_spellings(name))]
    return list(dict.fromkeys(spelling for name in written for spelling in spellings(name)))


def _ask_same_handle(trip: RoundTrip, handle: str | None, username: str) -> RoundTripAnswer[tuple[UUID, ...]]:
    if handle is None:
        return RoundTripAnswer.known(())
    return trip.ask(_BY_HANDLE, [handle, username], _ids)


def _ask_entities(
    trip: RoundTrip, tables: Iterable[EntityTable], where: str, **parameters: Any
) -> RoundTripAnswer[tuple[Entity, ...]]:
    queries = [
        (_ENTITY + where).format(
            table=table.value,
            link=LINK_COLUMN[table],
            image=IMAGE_COLUMN[table],
            country="nullif(e.country_of_origin, 'NA')" if table is EntityTable.BRANDS else "null",
        )
        for table in tables
    ]
    if not queries:
        return RoundTripAnswer.known(())
    return trip.ask(
        _WITH_PRIMARY.format(entities=" union all ".join(queries)),
        parameters,
        lambda rows: tuple(Entity(**{**row, "table": EntityTable(row["table"])}) for row in rows),
    )


def _ids(rows: Rows) -> tuple[UUID, ...]:
    return tuple(row["id"] for row in rows)
