"""A blog that turns out to be another one under a new username: the older row stays, with its posts and insights."""

from uuid import UUID

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.domains.influencers.models import PLATFORM
from entity_pipeline.shared.database.round_trip import RoundTripAnswer
from entity_pipeline.shared.tasks.fenced_trip import FencedTrip

# While the older row has an open task of this type, both would have the same key.
_MOVE_TASK = """
update {table} t set task_key = o.id::text, steps = '{{}}'
from blogs o
where t.id = %(task)s and o.platform = %(platform)s and o.platform_id = %(pk)s and o.id <> %(blog)s and {held}
  and not exists (
    select from {table} x
    where x.task_type = t.task_type and x.task_key = o.id::text and x.status in ('pending', 'running')
  )
returning o.id
"""
_MOVED = "{held} and exists (select from {table} where id = %(task)s and task_key <> %(blog)s::text)"
_DELETE_PERSON = f"""
delete from persons p using blogs b
where b.id = %(blog)s and p.id = b.person_id and {_MOVED}
  and not exists (select from blogs o where o.person_id = p.id and o.id <> b.id)
"""
_DELETE_BLOG = f"delete from blogs where id = %(blog)s and {_MOVED}"
_RENAME = f"""
update blogs b set username = %(username)s, updated_at = clock_timestamp()
from {{table}} t
where t.id = %(task)s and b.id = t.blog_id and b.username <> %(username)s and {_MOVED}
"""


def ask_moved(
    trip: FencedTrip, task_id: int, blog_id: UUID, profile: InstagramProfile
) -> RoundTripAnswer[UUID | None]:
    """Move the task to the blog that has the profile's id, name it anew, and delete this one.

    Returns the id of that blog; None if nothing was changed, because it has an open task of its own.
    """
    values = {
        "task": task_id,
        "blog": blog_id,
        "platform": PLATFORM,
        "pk": int(profile.instagram_id),
        "username": profile.username,
    }
    moved = trip.ask(_MOVE_TASK, values, lambda rows: UUID(str(rows[0]["id"])) if rows else None)
    trip.add(_DELETE_PERSON, values)
    trip.add(_DELETE_BLOG, values)
    trip.add(_RENAME, values)
    return moved
