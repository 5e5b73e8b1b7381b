"""What the Instagram stand-in answers about posts, reels, highlights and hashtags, to accounts with a session only.

The words of a sample hold here as well, in the forms of JSON: ``not_found``, ``wall``, ``rate_limited``, ``challenge``,
``private``, ``drift``. Chaos adds what only looks like an absence: an empty list, null under the right key, a retired
query, a bare "Not Found", a redirect to the home page.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from entity_pipeline.sandbox.instagram_highlights import highlights_of, stories_of, tray_entry
from entity_pipeline.sandbox.instagram_media import (
    TAGS,
    DescribedPost,
    SimulatedPost,
    as_on_the_grid,
    post_with,
    posts_of,
    short_user,
)
from entity_pipeline.sandbox.instagram_profiles import CANARY, SimulatedAccount, page_user
from entity_pipeline.sandbox.instagram_scripts import TopPosts
from entity_pipeline.sandbox.loopback_http import Reply, Request, html_reply, json_reply

CANARY_CODE = "C"
DATA_CHAOS = (
    ("rate_limited", 0.03),
    ("wall", 0.02),
    ("challenge", 0.01),
    ("server_error", 0.03),
    ("dropped", 0.03),
    ("truncated", 0.02),
    ("please_wait", 0.01),
    ("masked", 0.01),
    ("empty", 0.02),
    ("null", 0.02),
    ("retired", 0.01),
    ("home", 0.01),
    ("html", 0.01),
)
_PLEASE_WAIT = "Please wait a few minutes before you try again."
_PAGE = 25  # posts of a hashtag in one answer
_NOT_HERE = json_reply({"message": "User not found", "status": "fail"}, 404)
_REFUSALS = {
    "not_found": _NOT_HERE,
    "wall": json_reply({"message": "login_required", "require_login": True, "status": "fail"}, 403),
    "rate_limited": json_reply({"message": _PLEASE_WAIT, "status": "fail"}, 429),
    "please_wait": json_reply({"message": _PLEASE_WAIT, "status": "fail"}, 401),
    "challenge": json_reply({"message": "challenge_required", "status": "fail"}, 400),
    "private": json_reply({"message": "Not authorized to view user", "status": "fail"}, 400),
    "server_error": html_reply("<h1>5xx Server Error</h1>", 503),
    "masked": Reply(404, b"Not Found", "text/plain"),
    "retired": json_reply({"data": None, "errors": [{"message": "execution error"}], "status": "ok"}),
    "home": Reply(302, headers={"Location": "https://www.instagram.com/"}),
    "html": html_reply("<html><body>Simulated page in place of data</body></html>"),
    "dropped": Reply(drop=True),
}


def has_session(request: Request) -> bool:
    """Whether the request is authenticated, by a cookie or as the mobile app does."""
    cookies = request.headers.get("cookie", "").replace('"', "")
    return request.headers.get("authorization", "").startswith("Bearer IGT:") or any(
        name == "sessionid" and value
        for name, _, value in (one.strip().partition("=") for one in cookies.split(";"))
    )


def variables_of(request: Request) -> Mapping[str, Any]:
    """The variables of a query that comes as a form."""
    form = parse_qs(request.body.decode("utf-8", "replace"))
    try:
        found = json.loads(form["variables"][0])
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class InstagramFeeds:
    """Answers by account.

    Args:
        by_pk: The accounts by their numbers, as they are at the time of the request.
        drawn: Counts a request for a subject and says which word of trouble it meets, if any.
        tags: The top posts of the samples' hashtags; those of others are invented.
    """

    def __init__(
        self,
        by_pk: Mapping[str, SimulatedAccount],
        drawn: Callable[[str], str],
        tags: Mapping[str, TopPosts] | None = None,
    ) -> None:
        self._by_pk = by_pk
        self._drawn = drawn
        self._tags = {_folded(tag): posts for tag, posts in (tags or {}).items()}
        self._removed: set[str] = set()

    def remove_post(self, code: str) -> None:
        """Delete a post: its page has no items from now on, and lists lack it."""
        self._removed.add(code)

    def shown(self, account: SimulatedAccount) -> list[SimulatedPost]:
        """The posts that an account still has, newest first; those of others that it is a co-author of among them."""
        as_guest = [
            post
            for one in self._by_pk.values()
            if one.script is not None
            for post in posts_of(one)
            if isinstance(post, DescribedPost) and account.username in post.script.coauthors
        ]
        posts = (
            sorted([*posts_of(account), *as_guest], key=lambda post: -post.taken_at)
            if as_guest
            else posts_of(account)
        )
        return [post for post in posts if post.code not in self._removed]

    def newest(self, request: Request) -> Reply:
        """``/api/v1/feed/user/<pk>/``"""
        most = int(next(iter(request.query.get("count", [])), "12"))

        def answer(account: SimulatedAccount) -> dict[str, Any]:
            posts = as_on_the_grid(self.shown(account))
            return {
                "items": [post.on_grid() for post in posts[:most]],
                "more_available": len(posts) > most,
                "user": short_user(account),
            }

        return self._about(request, self._by_pk.get(_part(request, 5)), answer, "items")

    def timeline(self, request: Request, account: SimulatedAccount | None) -> Reply:
        """The query for the posts of a username, which shows no plays; an unknown one has none."""
        key = "xdt_api__v1__feed__user_timeline_graphql_connection"

        def connection(account: SimulatedAccount | None) -> dict[str, Any]:
            posts = as_on_the_grid(self.shown(account)) if account is not None else []
            edges = [{"node": post.media() | {"play_count": None}} for post in posts[:12]]
            return {"data": {key: {"edges": edges, "page_info": {"has_next_page": len(posts) > 12}}}}

        if account is None:
            return self._answer(request, "", connection(None))
        return self._about(request, account, connection, "data")

    def info(self, request: Request) -> Reply:
        """``/api/v1/users/<pk>/info/``"""
        return self._about(
            request,
            self._by_pk.get(_part(request, 4)),
            lambda account: {"user": self._user(account)},
            "user",
        )

    def tray(self, request: Request) -> Reply:
        """``/api/v1/highlights/<pk>/highlights_tray/``"""
        return self._about(
            request,
            self._by_pk.get(_part(request, 4)),
            lambda account: {"tray": [tray_entry(*one) for one in highlights_of(account).items()]},
            "tray",
        )

    def stories(self, request: Request) -> Reply:
        """``/api/v1/feed/reels_media/``: more than five highlights make the real service fail."""
        ids = request.query.get("reel_ids", [])
        if len(ids) > 5:
            return _REFUSALS["server_error"]
        known = {
            f"highlight:{pk}": (pk, highlight)
            for account in self._by_pk.values()
            for pk, highlight in highlights_of(account).items()
        }
        reels = {
            one: {"title": known[one][1].title, "items": stories_of(*known[one])}
            for one in ids
            if one in known
        }
        return self._answer(request, self._drawn(",".join(ids)), {"reels": reels})

    def hashtag(self, request: Request) -> Reply:
        """``/api/v1/tags/web_info/``: one section of each layout."""
        tag = next(iter(request.query.get("tag_name", [])), "")
        posts = self._tagged(tag)
        block = self._sections(posts[:_PAGE]) | _next(len(posts) > _PAGE)
        data = {"id": "17", "name": tag, "media_count": len(posts) * 100, "top": block}
        return self._answer(request, self._drawn(f"#{tag}"), {"data": data})

    def sections(self, request: Request) -> Reply:
        """``/api/v1/tags/<tag>/sections/``: the second page, which is the last."""
        tag = unquote(_part(request, 4))
        block = self._sections(self._tagged(tag)[_PAGE : 2 * _PAGE]) | _next(False)
        return self._answer(request, self._drawn(f"#{tag}"), block)

    def post(self, request: Request, code: str) -> Reply:
        """The query for one post."""
        key = "xdt_api__v1__media__shortcode__web_info"
        drawn = self._drawn(code)
        trouble = drawn if code != CANARY_CODE else ""
        found = self._by_code(code)
        if found is not None:
            trouble = trouble or found.account.behaviour
        if trouble in ("null", "drift"):
            return self._answer(request, "", {"data": {key if trouble == "null" else f"{key}_v2": None}})
        items = [] if found is None or trouble in ("empty", "not_found") else [found.media() | {"code": code}]
        return self._answer(request, trouble, {"data": {key: {"items": items}}})

    def reels(self, request: Request, pk: str) -> Reply:
        """The query for the reels tab."""
        key = "xdt_api__v1__clips__user__connection_v2"

        def answer(account: SimulatedAccount) -> dict[str, Any]:
            edges = [{"node": {"media": post.media()}} for post in self.shown(account) if post.is_reel]
            return {"data": {key: {"edges": edges[:12], "page_info": {"has_next_page": len(edges) > 12}}}}

        return self._about(request, self._by_pk.get(pk), answer, "data")

    def _user(self, account: SimulatedAccount) -> dict[str, Any]:
        user = page_user(account)
        medias = len(self.shown(account)) if account.script is None else user["all_media_count"]
        return user | {"id": str(account.id), "media_count": medias}

    def _about(
        self,
        request: Request,
        account: SimulatedAccount | None,
        answer: Callable[[SimulatedAccount], dict[str, Any]],
        key: str,
    ) -> Reply:
        if account is None:
            return _NOT_HERE if has_session(request) else _REFUSALS["wall"]
        trouble = self._drawn(account.username) or account.behaviour
        shown = answer(account)
        if trouble in ("null", "drift"):
            shown = {key if trouble == "null" else f"{key}_v2": None}
        elif trouble == "empty" and isinstance(shown[key], list):
            shown[key] = []
        return self._answer(request, trouble, shown)

    def _answer(self, request: Request, trouble: str, shown: Mapping[str, Any]) -> Reply:
        if not has_session(request):
            return _REFUSALS["wall"]
        reply = _REFUSALS.get(trouble) or json_reply({**shown, "status": "ok"})
        return Reply(200, reply.body[: len(reply.body) // 2]) if trouble == "truncated" else reply

    def _by_code(self, code: str) -> SimulatedPost | None:
        if code in self._removed:
            return None
        if code == CANARY_CODE:
            return next((posts_of(one)[0] for one in self._by_pk.values() if one.username == CANARY), None)
        return post_with(code, self._by_pk.values())

    def _tagged(self, tag: str) -> list[SimulatedPost]:
        """The newest posts with the tag; the real service is not exact about it either."""
        if (scripted := self._tags.get(_folded(tag))) is not None:
            by_name = {account.username: account for account in self._by_pk.values()}
            return [posts_of(by_name[username])[place] for username, place in scripted]
        if tag not in TAGS:
            return []
        newest = [self.shown(account)[:3] for account in self._by_pk.values() if not account.behaviour]
        found = [post for posts in newest for post in posts if f"#{tag}" in str(post.caption).split()]
        return sorted(found, key=lambda post: -post.taken_at)[: 2 * _PAGE]

    def _sections(self, posts: list[SimulatedPost]) -> dict[str, Any]:
        medias = [{"media": post.media()} for post in posts]
        clips = {"clips": {"items": medias[3:4]}}
        mixed = {"layout_content": {"one_by_two_item": clips, "fill_items": medias[4:8]}}
        rest = {"layout_content": {"medias": [*medias[:3], *medias[8:]]}}
        return {"sections": [rest, mixed]}


def _folded(tag: str) -> str:
    return unicodedata.normalize("NFC", tag).casefold()


def _next(more: bool) -> dict[str, Any]:
    return {
        "more_available": more,
        "next_max_id": "T" if more else None,
        "next_page": 1,
        "next_media_ids": [],
    }


def _part(request: Request, place: int) -> str:
    return next(iter(request.path.split("/")[place : place + 1]), "")
