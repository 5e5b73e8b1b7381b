"""The highlights that the Instagram stand-in shows for an account: those of its script, or invented ones."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount, pk_of
from entity_pipeline.sandbox.instagram_scripts import ScriptedHighlight, ScriptedStory
from entity_pipeline.sandbox.seeded import seeded_int

_MOST = 7
_BEGAN = 1_780_000_000


def highlights_of(account: SimulatedAccount) -> Mapping[int, ScriptedHighlight]:
    """The highlights by their numbers."""
    shown = _invented(account) if account.script is None else account.script.highlights
    return {17_900_000_000_000_000 + account.id % 10**11 * 10 + nth: one for nth, one in enumerate(shown)}


def tray_entry(pk: int, highlight: ScriptedHighlight) -> dict[str, Any]:
    """One highlight in the tray."""
    return {"id": f"highlight:{pk}", "title": highlight.title, "media_count": len(highlight.stories)}


def stories_of(pk: int, highlight: ScriptedHighlight) -> list[dict[str, Any]]:
    """The stories of a highlight, with what they name in the present form or in the older one."""
    return [
        {
            "pk": str(3_900_000_000_000_000_000 + pk % 10**12 * 10 + nth),
            "taken_at": story.taken_at,
            "media_type": 1,
            **(_old_form(story) if story.old_form else _present_form(story)),
            "story_locations": [
                {"location": {"pk": seeded_int("place", place) % 10**9, "name": place}}
                for place in story.places
            ]
            or None,
            "story_hashtags": None,
        }
        for nth, story in enumerate(highlight.stories)
    ]


def _present_form(story: ScriptedStory) -> dict[str, Any]:
    return {
        "story_bloks_stickers": [_sticker(name) for name in story.mentions],
        "story_link_stickers": [
            {"story_link": {"url": f"https://l.instagram.com/?u={quote(link, safe='')}&e=AT"}}
            for link in story.links
        ],
    }


def _old_form(story: ScriptedStory) -> dict[str, Any]:
    return {
        "reel_mentions": [{"user": {"pk": str(pk_of(name)), "username": name}} for name in story.mentions],
        "story_cta": [{"links": [{"webUri": link}]} for link in story.links],
    }


def _sticker(username: str) -> dict[str, Any]:
    mention = {"account_id": str(pk_of(username)), "username": username}
    return {"bloks_sticker": {"bloks_sticker_type": "mention", "sticker_data": {"ig_mention": mention}}}


def _invented(account: SimulatedAccount) -> Sequence[ScriptedHighlight]:
    return [
        ScriptedHighlight(
            f"Simulated {nth}",
            tuple(
                ScriptedStory(_BEGAN + story * 86_400, ("friend.madeup",), ("https://shop.example/a",))
                for story in range(1 + seeded_int("stories", account.id, nth) % 3)
            ),
        )
        for nth in range(seeded_int("highlights", account.id) % (_MOST + 1))
    ]
