"""Reading the catalog around one account: the account, its candidates, and who waits for it.

Names are looked up through `entity_pipeline_normalise_name` and its indexes; what comes back is only a
candidate until `logic/names.py` agrees.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.domains.entities.logic.decide import names_of
from entity_pipeline.domains.entities.logic.decisions import LINK_COLUMN, Candidates, PrimaryAccount
from entity_pipeline.domains.entities.logic.holds import HoldReason
from entity_pipeline.domains.entities.logic.names import normalised, spellings
from entity_pipeline.domains.entities.logic.usernames import handle_or_none
from entity_pipeline.domains.entities.models import TABLE_OF_TYPE, Account, Entity, EntityTable, Review
from entity_pipeline.domains.entities.queries.audit import ours

ACCOUNTS = "instagram_accounts"

IMAGE_COLUMN: Mapping[EntityTable, str] = {
    EntityTable.ARTISTS: "profile_image_url",
    EntityTable.BRANDS: "logo_image_url",
    EntityTable.GROUPS: "profile_image_url",
}

_HANDLE = "lower(ltrim(btrim(username), '@'))"  # the expression of the index entity_pipeline_accounts_handle

_ACCOUNT = """
select id, username, name_en, name_ko, display_name, bio, profile_image_url,
       account_type::text as account_type, entity_ig_role::text as entity_ig_role, entity_region_code,
       is_active, artist_id, brand_id, group_id,
       metadata -> 'entity_enrichment' as enrichment
from instagram_accounts where id = %s
"""

# An entity's primary account is the one it names, or else the one that is linked to it in the primary role.
_ENTITY = """
select e.id, e.name_en, e.name_ko, e.{image} as image_url, {country} as country_of_origin,
       coalesce(e.primary_instagram_account_id,
                (select a.id from instagram_accounts a
                 where a.{link} = e.id and a.entity_ig_role::text = 'primary' order by a.id limit 1)
       ) as primary_account_id
from {table} e
"""
_OF_ACCOUNT = """where e.primary_instagram_account_id = %(account)s
    or e.id = (select a.{link} from instagram_accounts a where a.id = %(account)s)
order by e.id"""
_OF_PRIMARY = """where e.primary_instagram_account_id = %(account)s
    or e.id = (select a.{link} from instagram_accounts a
               where a.id = %(account)s and a.entity_ig_role::text = 'primary')
order by e.id"""
_NAMED = """where entity_pipeline_normalise_name(e.name_en) = any(array(
        select entity_pipeline_normalise_name(name) from unnest(%(names)s::text[]) name))
    or entity_pipeline_normalise_name(e.name_ko) = any(array(
        select entity_pipeline_normalise_name(name) from unnest(%(names)s::text[]) name))
order by e.id"""

_BY_HANDLE = (
    f"select id from instagram_accounts where {_HANDLE} = %s order by is_active desc, username = %s desc, id"
)

_WAITING = f"""
select id from instagram_accounts
where metadata #>> '{{entity_enrichment,gemini_review,review,primary_username}}' = %s
  and metadata #>> '{{entity_enrichment,catalog_link,status}}' = 'held'
  and metadata #> '{{entity_enrichment,catalog_link,reasons}}' ? '{HoldReason.PRIMARY_NOT_LINKED}'
order by id
"""

# Also a condition of `queries/enrichment.py`: such an account must be asked for by whoever looks for work.
ATTACHABLE = f"""
select distinct f.id
from instagram_accounts f
join instagram_accounts p on {_HANDLE.replace("username", "p.username")}
    = f.metadata #>> '{{entity_enrichment,gemini_review,review,primary_username}}'
where f.metadata #>> '{{entity_enrichment,catalog_link,status}}' = 'held'
  and f.metadata #> '{{entity_enrichment,catalog_link,reasons}}' ? '{HoldReason.PRIMARY_NOT_LINKED}'
  and (exists (select from artists where primary_instagram_account_id = p.id)
    or exists (select from brands where primary_instagram_account_id = p.id)
    or exists (select from groups where primary_instagram_account_id = p.id)
    or (p.entity_ig_role::text = 'primary' and num_nonnulls(p.artist_id, p.brand_id, p.group_id) > 0))
order by f.id
"""


def load_account(
    connection: psycopg.Connection[Any], account_id: UUID, for_update: bool = False
) -> Account | None:
    """The account as the decision sees it, or None when the row is gone.

    `for_update` locks it against every other writer until the transaction ends; readers and foreign keys
    pass.
    """
    query = _ACCOUNT + (" for no key update" if for_update else "")
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query, [account_id]).fetchone()
    if row is None:
        return None
    links = {table: row.pop(column) for table, column in LINK_COLUMN.items()}
    enrichment = row.pop("enrichment")
    return Account(
        **row,
        handle=handle_or_none(row["username"]),
        links={table: entity_id for table, entity_id in links.items() if entity_id is not None},
        enrichment=enrichment if isinstance(enrichment, dict) else {},
    )


def load_account_of(connection: psycopg.Connection[Any], handle: str) -> Account | None:
    """The account with a normalised handle; of several spellings the one that is active and exact."""
    rows = _same_handle(connection, handle, handle)
    return load_account(connection, rows[0]) if rows else None


def load_candidates(
    connection: psycopg.Connection[Any], account: Account, review: Review | None
) -> Candidates:
    """Everything in the catalog that the decision about `account` may depend on."""
    around = Candidates(
        linked=tuple(_entities(connection, EntityTable, _OF_ACCOUNT, account=account.id)),
        ours=ours(connection, ACCOUNTS, account.id),
        twins=tuple(_same_handle(connection, account.handle, account.username, but=account.id)),
    )
    if review is None:
        return around
    primary = handle_or_none(review.primary_username)
    return Candidates(
        linked=around.linked,
        matches=_matches(connection, account, review, around),
        primary=_primary_account(connection, primary) if primary else None,
        ours=around.ours,
        twins=around.twins,
    )


def waiting_for(connection: psycopg.Connection[Any], handle: str) -> Sequence[UUID]:
    """Accounts of any cohort held because the account `handle` was not linked yet: decide them again."""
    return [row[0] for row in connection.execute(_WAITING, [handle]).fetchall()]


def attachable(connection: psycopg.Connection[Any]) -> Sequence[UUID]:
    """Accounts of any cohort that still wait although their primary account is linked by now.

    A person may have linked it, or a run was killed before it came to those that waited.
    """
    return [row[0] for row in connection.execute(ATTACHABLE).fetchall()]


def _matches(
    connection: psycopg.Connection[Any], account: Account, review: Review, around: Candidates
) -> tuple[Entity, ...]:
    table = TABLE_OF_TYPE.get(review.account_type)
    names = names_of(account, review, around)
    if table is None or not names.forms:
        return ()
    wanted = [spelling for name in (names.en, names.ko) if name for spelling in spellings(name)]
    found = _entities(connection, [table], _NAMED, names=wanted)
    return tuple(
        item for item in found if not names.forms.isdisjoint(normalised((item.name_en, item.name_ko)))
    )


def _primary_account(connection: psycopg.Connection[Any], handle: str) -> PrimaryAccount | None:
    rows = _same_handle(connection, handle, handle)
    entities = [_entities(connection, EntityTable, _OF_PRIMARY, account=account_id) for account_id in rows]
    unique = {(item.table, item.id): item for found in entities for item in found}
    return PrimaryAccount(rows[0], tuple(unique.values())) if rows else None


def _same_handle(
    connection: psycopg.Connection[Any], handle: str | None, username: str, but: UUID | None = None
) -> list[UUID]:
    if handle is None:
        return []
    rows = connection.execute(_BY_HANDLE, [handle, username]).fetchall()
    return [row[0] for row in rows if row[0] != but]


def _entities(
    connection: psycopg.Connection[Any], tables: Iterable[EntityTable], where: str, **parameters: Any
) -> list[Entity]:
    found: list[Entity] = []
    for table in tables:
        country = "nullif(e.country_of_origin, 'NA')" if table is EntityTable.BRANDS else "null"
        parts = {
            "table": table.value,
            "link": LINK_COLUMN[table],
            "image": IMAGE_COLUMN[table],
            "country": country,
        }
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute((_ENTITY + where).format(**parts).encode(), parameters).fetchall()
        found.extend(Entity(table=table, **row) for row in rows)
    return found
