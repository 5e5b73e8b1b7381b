"""Blogs of people who were named or discovered: created with their person unless they are there or erased."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.models import PLATFORM
from entity_pipeline.shared.database.round_trip import RoundTrip

# An erasure, which writes here first, is either seen by the next statements or begins after this transaction.
_LOCK = "lock table erased_people in share mode"
_ASKED = """
select * from unnest(%(usernames)s::text[], %(ids)s::bigint[], %(name_hashes)s::text[], %(id_hashes)s::text[])
  as a(username, platform_id, name_hash, id_hash)
"""
_IS_ERASED = """exists (
  select from erased_people e where e.platform = %(platform)s and e.subject_hash in (a.name_hash, a.id_hash)
)"""
# The blog comes first, because one that another transaction is creating must not leave a person behind.
_ADD = f"""
with a as ({_ASKED}), added as (
  insert into blogs (person_id, platform, username, platform_id, source)
  select gen_random_uuid(), %(platform)s, username, platform_id, %(source)s from a
  where not {_IS_ERASED} order by username
  on conflict do nothing
  returning person_id, username
), people as (
  insert into persons (id) select person_id from added
)
select username from added
"""
_FIND = f"""
with a as ({_ASKED})
select a.username, {_IS_ERASED} as is_erased, coalesce(by_id.id, by_name.id) as blog_id
from a
left join blogs by_id on by_id.platform = %(platform)s and by_id.platform_id = a.platform_id
left join blogs by_name on by_name.platform = %(platform)s and by_name.username = a.username
  and (by_name.platform_id = a.platform_id) is not false
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A person by username, and by numeric id where that is known."""

    username: str
    platform_id: int | None = None


@dataclass(frozen=True, slots=True)
class FoundBlog:
    """The blog of a named person; `blog_id` is None if the person is erased, or another person's blog has the name."""

    blog_id: UUID | None
    is_new: bool
    is_erased: bool


def find_or_add(connection: Connection[Any], people: Sequence[Named], source: str) -> dict[str, FoundBlog]:
    """The blog of each person by username, made where there was none. In the caller's transaction, one round trip.

    A blog that has the id counts before one that has the username. Each username is given once.
    """
    values = {
        "platform": PLATFORM,
        "source": source,
        "usernames": [person.username for person in people],
        "ids": [person.platform_id for person in people],
        "name_hashes": [hashes(None, person.username)[0] for person in people],
        "id_hashes": [next(iter(hashes(person.platform_id, None)), None) for person in people],
    }
    trip = RoundTrip(connection)
    trip.add(_LOCK)
    added = trip.ask(_ADD, values, lambda rows: {row["username"] for row in rows})
    found = trip.ask(_FIND, values, lambda rows: rows)
    trip.go()
    return {
        row["username"]: FoundBlog(
            None if row["is_erased"] else row["blog_id"],
            row["username"] in added.value,
            row["is_erased"],
        )
        for row in found.value
    }
