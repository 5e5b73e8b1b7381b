"""Who of a hashtag's people is known or erased, and the rows that a discovery writes."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from entity_pipeline.domains.influencers.discovery.logic.progress import Counts
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.models import PLATFORM

_KNOWN = """
select pk, exists (select from erased_people where platform = %(platform)s and subject_hash = hash) as is_erased
from unnest(%(pks)s::bigint[], %(hashes)s::text[]) as a(pk, hash)
where exists (select from blogs where platform = %(platform)s and platform_id = pk)
  or exists (select from erased_people where platform = %(platform)s and subject_hash = hash)
"""
_ADD = """
insert into hashtag_discoveries (hashtag, posts, people, known, refused, added)
values (%s, %s, %s, %s, %s, %s)
"""


def known_people(connection: Connection[Any], pks: Sequence[int]) -> tuple[set[int], set[int]]:
    """Of these people, those with a blog, and those who are erased."""
    values = {"platform": PLATFORM, "pks": list(pks), "hashes": [hashes(pk, None)[0] for pk in pks]}
    rows = connection.execute(_KNOWN, values).fetchall()
    erased = {pk for pk, is_erased in rows if is_erased}
    return {pk for pk, _ in rows} - erased, erased


def add_discovery(connection: Connection[Any], hashtag: str, found: Counts) -> None:
    """A row for a search that has ended."""
    values = [hashtag, found.posts, found.people, found.known, found.refused, found.added]
    connection.execute(_ADD, values)
