"""The table `erased_people`: who is kept out, and who asked to be taken in again."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from entity_pipeline.domains.influencers.models import PLATFORM

# Hashes that are kept already have the id of their erasure, and the others of the same person get that one.
_KEEP_OUT = """
insert into erased_people (platform, subject_hash, erasure_id, erased_by)
select %(platform)s, one.hash, person.id, %(who)s
from unnest(%(hashes)s::text[]) as one(hash),
  (select coalesce(
     (select erasure_id from erased_people where platform = %(platform)s and subject_hash = any(%(hashes)s)
      order by erased_at limit 1),
     gen_random_uuid()) as id) as person
on conflict do nothing
"""
_TAKE_IN = """
delete from erased_people
where platform = %(platform)s and erasure_id in (
  select erasure_id from erased_people where platform = %(platform)s and subject_hash = any(%(hashes)s)
)
"""
_ARE_OUT = (
    "select count(*) from erased_people where platform = %(platform)s and subject_hash = any(%(hashes)s)"
)


def keep_out(connection: Connection[Any], hashes: Sequence[str], who: str) -> None:
    """Keep the person with these hashes out from now on. Waits for transactions that are just taking people in."""
    connection.execute(_KEEP_OUT, {"platform": PLATFORM, "hashes": list(hashes), "who": who})


def take_in(connection: Connection[Any], hashes: Sequence[str]) -> bool:
    """Forget that these people were erased, with all hashes of each; whether any of them was."""
    return connection.execute(_TAKE_IN, {"platform": PLATFORM, "hashes": list(hashes)}).rowcount > 0


def are_out(connection: Connection[Any], hashes: Sequence[str]) -> bool:
    """Whether a person with one of these hashes is kept out."""
    row = connection.execute(_ARE_OUT, {"platform": PLATFORM, "hashes": list(hashes)}).fetchone()
    return row is not None and row[0] > 0
