"""What one look at a profile, or two, say about the person whose blog it is.

The username is asked first. Where the numeric id is known, a name that shows nothing or another person is followed by a
look at the id, which outlives renames; the name of another person is never taken for the blog's.
"""

from dataclasses import dataclass
from enum import StrEnum

from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Result

Look = Result[InstagramProfile]


class Seen(StrEnum):
    """The verdict."""

    FOUND = "found"
    PRIVATE = "private"
    ABSENT = "absent"  # one observation; `sightings.py` says when it is a fact
    NAME_REUSED = "name_reused"  # the same, and another person has the username now
    BLOCKED = "blocked"  # "not found" by a seat that does not find its canary either
    UNREADABLE = (
        "unreadable"  # an answer that says nothing about the person: drift, a restriction, nothing at all
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """`look` is the one it rests on; `profile` is set for FOUND, and for PRIVATE where the profile is shown."""

    seen: Seen
    look: Look
    profile: InstagramProfile | None = None


def needs_look_by_id(by_name: Look, known_pk: int | None) -> bool:
    """Whether the look at the username has to be followed by one at the id."""
    if known_pk is None or by_name.finding is Finding.PRIVATE:
        return False
    return by_name.value is None or by_name.value.instagram_id != str(known_pk)


def verdict(by_name: Look, by_id: Look | None = None) -> Verdict:
    """The verdict; `by_id` is the second look, where `needs_look_by_id` asked for one."""
    look = by_id or by_name
    if look.value is not None:
        return Verdict(Seen.PRIVATE if look.value.is_private else Seen.FOUND, look, look.value)
    if look.finding is Finding.PRIVATE:
        return Verdict(Seen.PRIVATE, look)
    if look.finding is not Finding.NOT_FOUND:
        return Verdict(Seen.UNREADABLE, look)
    if look.canary is False:
        return Verdict(Seen.BLOCKED, look)
    return Verdict(Seen.NAME_REUSED if by_name.value is not None else Seen.ABSENT, look)
