"""Whether the links of an account's former handle may move to the row of its present one. Pure.

Only links that we made move: a person's link stays where the person put it, and the account is held.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from entity_pipeline.core.jsonb import json_items, json_object
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN, EntityKey, links_of
from entity_pipeline.domains.entities.links.logic.gates import moved_away, section
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import Account, AccountRole, Entity
from entity_pipeline.shared.audit.provenance import fill


@dataclass(frozen=True, slots=True)
class Placed:
    """A row with the values of our own last write to it, and the entities that it belongs to or that point at it."""

    account: Account
    ours: Mapping[str, Any]
    linked: tuple[Entity, ...]

    @property
    def links(self) -> frozenset[EntityKey]:
        """The entities that the account belongs to, from either side."""
        return links_of(self.account, self.linked)


def former_rows(account: Account) -> list[UUID]:
    """The rows that had this account's Instagram id before, as far as their ids can be read."""
    rows = json_items(section(account, "profile_backfill").get("renamed_from"))
    found = (_uuid(json_object(row).get("account_id")) for row in rows)
    return [one for one in dict.fromkeys(found) if one is not None and one != account.id]


def may_follow(account: Account) -> bool:
    """Whether links may move to this row: it is in use, is the account's present one, and was not undone."""
    is_undone = section(account, "catalog_link").get("status") == "undone"
    return account.is_active and not (moved_away(account) or is_undone)


def is_former(row: Account, account: Account) -> bool:
    """Whether the row is marked as a former handle of the account."""
    now_at = json_object(section(row, "profile_backfill").get("renamed_to"))
    return _uuid(now_at.get("account_id")) == account.id


def entity_to_follow(present: Placed, former: Placed) -> EntityKey | HoldReason | None:
    """The one entity whose links move, the reason why they can't, or None when there are none."""
    if not former.links:
        return None
    if len(former.links | present.links) > 1:
        return HoldReason.FORMER_LINKS
    ((table, entity_id),) = former.links
    column = LINK_COLUMN[table]
    by_us = table not in former.account.links or former.ours.get(column) == str(entity_id)
    removed_by_person = table not in present.account.links and present.ours.get(column)
    return (table, entity_id) if by_us and not removed_by_person else HoldReason.FORMER_LINKS


def second_entity(present: Placed, former: Placed) -> EntityKey | None:
    """The entity that the present row has beside the former one's, when each has one; else None."""
    others = present.links - former.links
    return next(iter(others)) if len(former.links) == len(others) == 1 else None


def followed_columns(present: Placed, former: Account, key: EntityKey, *, is_primary: bool) -> dict[str, str]:
    """The columns of the present row that get the link and the classification of the former one."""
    table, entity_id = key
    account = present.account
    offered = {
        LINK_COLUMN[table]: (str(account.links[table]) if table in account.links else None, str(entity_id)),
        "account_type": (account.account_type, former.account_type),
        "entity_ig_role": (
            account.entity_ig_role,
            AccountRole.PRIMARY.value if is_primary else former.entity_ig_role,
        ),
        "entity_region_code": (account.entity_region_code, former.entity_region_code),
        "name_en": (account.name_en, former.name_en),
        "name_ko": (account.name_ko, former.name_ko),
    }
    filled = {
        column: fill(current, wish, present.ours.get(column), column=column)
        for column, (current, wish) in offered.items()
    }
    return {column: value for column, value in filled.items() if value is not None}


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
