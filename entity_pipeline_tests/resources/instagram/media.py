"""Raw answers about posts, reels, highlights and hashtags, in the shapes of public recordings with invented values."""

import json
from collections.abc import Mapping
from typing import Any

from entity_pipeline.sandbox.loopback_http import Reply

PK, OWNER = 4032929565226565632, 9000000001


def media(**fields: Any) -> dict[str, Any]:
    """A reel; a field given as `...` is left out."""
    shown = {
        "pk": str(PK),
        "code": "Made0000000",
        "media_type": 2,
        "taken_at": 1794982720,
        "has_liked": False,
        "like_count": 120,
        "user": {
            "pk": str(OWNER),
            "username": "made.up.person",
            "is_private": False,
            "full_name": "Made Up",
            "profile_pic_url": "https://x.cdninstagram.com/p.jpg",
        },
        "id": f"{PK}_{OWNER}",
        "product_type": "clips",
        "comment_count": 7,
        "play_count": 4000,
        "ig_play_count": 3900,
        "fb_play_count": 100,
        "view_count": None,
        "caption": {"text": "Sea #Jeju day with @made.up.brand"},
        "like_and_view_counts_disabled": False,
        "comments_disabled": None,
        "commenting_disabled_for_viewer": None,
        "timeline_pinned_user_ids": [],
        "coauthor_producers": [],
        "is_paid_partnership": False,
        "sponsor_tags": None,
        "location": {"pk": 213, "name": "Beach", "lat": 33.4, "lng": 126.5},
        "usertags": {
            "in": [{"user": {"pk": "9000000002", "username": "made.up.friend"}, "position": [0.1, 0.2]}]
        },
        "video_duration": 11.5,
        "image_versions2": {
            "candidates": [
                {"url": "https://x.cdninstagram.com/s.jpg", "width": 150, "height": 150},
                {"url": "https://x.cdninstagram.com/i.jpg?oe=7", "width": 720, "height": 1280},
            ]
        },
        "carousel_media": None,
    }
    return {name: value for name, value in (shown | fields).items() if value is not ...}


def feed(*medias: Any, **fields: Any) -> dict[str, Any]:
    owner = {"pk": OWNER, "username": "made.up.person", "is_private": False}
    return {"items": list(medias), "more_available": True, "user": owner, "status": "ok"} | fields


def timeline(*medias: Any) -> dict[str, Any]:
    connection = {"edges": [{"node": one} for one in medias], "page_info": {"has_next_page": True}}
    return {"data": {"xdt_api__v1__feed__user_timeline_graphql_connection": connection}}


def web_info(*medias: Any) -> dict[str, Any]:
    return {"data": {"xdt_api__v1__media__shortcode__web_info": {"items": list(medias)}}, "status": "ok"}


def reels_tab(*medias: Any, more: Any = True) -> dict[str, Any]:
    edges = [{"node": {"media": one}} for one in medias]
    connection = {"edges": edges, "page_info": {"has_next_page": more, "end_cursor": "C"}}
    return {"data": {"xdt_api__v1__clips__user__connection_v2": connection}, "status": "ok"}


def hashtag(*sections: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    top = {"sections": list(sections), "more_available": True, "next_max_id": "T", "next_page": 1} | fields
    return {"data": {"id": "178", "name": "madeup", "media_count": 9000, "top": top}, "status": "ok"}


def tray(*entries: Any) -> dict[str, Any]:
    return {"tray": list(entries), "status": "ok"}


def highlight(pk: int = 17900000000000000, **fields: Any) -> dict[str, Any]:
    cover = {"cropped_image_version": {"url": "https://x.cdninstagram.com/c.jpg"}}
    return {"id": f"highlight:{pk}", "title": "Trip", "media_count": 3, "cover_media": cover} | fields


def stories(pk: int, *items: Any) -> dict[str, Any]:
    return {"reels": {f"highlight:{pk}": {"title": "Trip", "items": list(items)}}, "status": "ok"}


def story(**fields: Any) -> dict[str, Any]:
    mention = {"account_id": "9000000005", "username": "made.up.brand"}
    shown = {
        "pk": "3900000000000000001",
        "taken_at": 1795000000,
        "media_type": 1,
        "story_bloks_stickers": [
            {"bloks_sticker": {"bloks_sticker_type": "mention", "sticker_data": {"ig_mention": mention}}}
        ],
        "story_link_stickers": [
            {
                "story_link": {
                    "url": "https://l.instagram.com/?u=https%3A%2F%2Fshop.example%2Fa%3Fb%3D1%26fbclid%3DX&e=A"
                }
            }
        ],
        "story_locations": [{"location": {"pk": "213", "name": "Beach"}}],
        "story_hashtags": None,
        "reel_mentions": None,
    }
    return {name: value for name, value in (shown | fields).items() if value is not ...}


def info(**fields: Any) -> dict[str, Any]:
    shown = {
        "pk": OWNER,
        "username": "made.up.person",
        "full_name": "Made Up",
        "is_private": False,
        "is_verified": True,
        "follower_count": 1234,
        "following_count": 56,
        "media_count": 78,
        "is_business": True,
        "category": "Traveller",
        "biography": "바다",
        "bio_links": [{"url": "https://shop.example/"}],
        "hd_profile_pic_url_info": {"url": "https://x.cdninstagram.com/hd.jpg"},
        "profile_pic_url": "https://x.cdninstagram.com/p.jpg",
    }
    return {
        "user": {name: value for name, value in (shown | fields).items() if value is not ...},
        "status": "ok",
    }


def reply(value: Any) -> Reply:
    return Reply(200, json.dumps(value).encode())
