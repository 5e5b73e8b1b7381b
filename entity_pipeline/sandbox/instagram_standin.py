"""A local server that answers like Instagram and its picture hosts. The accounts come from samples.

All hosts share one base URL; the Host header says which is meant. A sample gives an account one of these words:
``not_found``, ``wall`` (redirect to the login), ``rate_limited`` (429), ``challenge`` (a redirect that leads to
itself), ``drift`` (readable JSON under unknown names), ``private``, ``restricted`` (the notice of an age limit),
``reassigned`` (another pk than before), ``picture_expired`` (403), ``picture_is_html``. A chaos seed applies them to
any request, and also errors: 401 "please wait", 403, 400 with a checkpoint, 503, dropped and cut-off answers, pages
without an account, without a pk or with a null bio.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from entity_pipeline.sandbox.instagram_feeds import DATA_CHAOS, InstagramFeeds, has_session, variables_of
from entity_pipeline.sandbox.instagram_pages import (
    notice_page,
    profile_page,
    restricted_page,
    signed_in_page,
    start_page,
)
from entity_pipeline.sandbox.instagram_pictures import tile
from entity_pipeline.sandbox.instagram_profiles import (
    CANARY,
    PictureUrl,
    SimulatedAccount,
    canary,
    legacy_user,
    page_user,
    picture_url,
)
from entity_pipeline.sandbox.instagram_scripts import TopPosts
from entity_pipeline.sandbox.loopback_http import Reply, Request, html_reply, json_reply
from entity_pipeline.sandbox.seeded import seeded_share
from entity_pipeline.sandbox.standin_server import StandinServer

_PICTURE_HOST = re.compile(r"[a-z0-9.-]+\.(cdninstagram\.com|fbcdn\.net)")
_SITE_HOSTS = frozenset(
    {"www.instagram.com", "i.instagram.com", "instagram.com", "127.0.0.1", "localhost", ""}
)
_PICTURE_FOLDERS = ("/v/t51.2885-19/", "/v/t51.29350-15/")  # of profiles, of posts
_PICTURE_PATH = re.compile(r"/v/t51\.(?:2885-19|29350-15)/(\d+)_([a-z0-9._]+)_n\.jpg")
_PLEASE_WAIT = "Please wait a few minutes before you try again."
_CSRF_COOKIE = "csrftoken=simulated; Path=/; Secure; SameSite=Lax"


def _redirect(path: str) -> Reply:
    return replace(html_reply("", 302), headers={"Location": f"https://www.instagram.com{path}"})


_PAGES = {
    "/": replace(html_reply(start_page()), headers={"Set-Cookie": _CSRF_COOKIE}),
    "/accounts/login/": html_reply(notice_page("Login • Instagram (simulated)")),
    "/challenge/": _redirect("/challenge/"),
}
_CHAOS = (
    ("rate_limited", 0.03),
    ("wall", 0.03),
    ("challenge", 0.01),
    ("server_error", 0.03),
    ("not_found", 0.02),
    ("drift", 0.02),
    ("dropped", 0.03),
    ("truncated", 0.02),
    ("please_wait", 0.01),
    ("forbidden", 0.01),
    ("checkpoint", 0.01),
    ("no_account", 0.005),
    ("without_pk", 0.005),
    ("null_bio", 0.005),
)
_PICTURE_CHAOS = (
    ("picture_forbidden", 0.02),
    ("picture_is_html", 0.02),
    ("picture_dropped", 0.02),
    ("picture_server_error", 0.02),
)


class InstagramStandin(StandinServer):
    """The server; ``with InstagramStandin() as standin`` or `start` and `close`.

    Args:
        accounts: the profiles of the samples; of two with the same username the first counts.
        tags: the top posts of the samples' hashtags.
        port: 0 takes a free one.
        latency_ms: delay of each answer.
        chaos: a seed switches random trouble on; the canary account is spared.
    """

    def __init__(
        self,
        accounts: Iterable[SimulatedAccount] = (),
        tags: Mapping[str, TopPosts] | None = None,
        *,
        port: int = 0,
        latency_ms: int = 20,
        chaos: int | None = None,
    ) -> None:
        super().__init__(port=port)
        self._latency_s = latency_ms / 1000
        self._chaos = chaos
        self._asked: Counter[str] = Counter()  # pictures left out
        self._accounts = {CANARY: canary()}
        for account in accounts:
            self._accounts.setdefault(account.username, account)
        self._by_pk = {str(account.id): account for account in self._accounts.values()}
        feeds = self.feeds = InstagramFeeds(self._by_pk, self._data_trouble, tags)
        # The paths that a client may request; the first that matches answers.
        self._operations = (
            (re.compile(r"/api/v1/users/web_profile_info/"), self._web_profile_info),
            (re.compile(r"/graphql/query/?|/api/graphql"), self._query),
            (re.compile(r"/[A-Za-z0-9._]{1,30}/?"), self._profile),
            (re.compile(r"/api/v1/feed/user/\d+/"), feeds.newest),
            (re.compile(r"/api/v1/users/\d+/info/"), feeds.info),
            (re.compile(r"/api/v1/highlights/\d+/highlights_tray/"), feeds.tray),
            (re.compile(r"/api/v1/feed/reels_media/"), feeds.stories),
            (re.compile(r"/api/v1/tags/web_info/"), feeds.hashtag),
            (re.compile(r"/api/v1/tags/[^/]+/sections/"), feeds.sections),
        )

    def rename(self, former: str, present: str) -> None:
        """Give an account another handle: the former one is not found, unless another account takes it."""
        account = self._accounts.pop(former)
        self.take(replace(account, username=present, pk=account.id))

    def take(self, account: SimulatedAccount) -> None:
        """Show this account under its handle from now on."""
        self._accounts[account.username] = account
        self._by_pk[str(account.id)] = account

    def answer(self, request: Request) -> Reply:
        """By host and path; a picture counts for its account."""
        return replace(self._route(request), after_s=self._latency_s)

    def _route(self, request: Request) -> Reply:
        if _PICTURE_HOST.fullmatch(request.host) or (
            request.host in _SITE_HOSTS and request.path.startswith(_PICTURE_FOLDERS)
        ):
            return self._picture(request)
        if request.host not in _SITE_HOSTS:
            return html_reply(notice_page("Unknown host"), 421)
        if request.path == "/" and has_session(request):
            return html_reply(signed_in_page())
        if request.path in _PAGES:
            return _PAGES[request.path]
        for path, operation in self._operations:
            if path.fullmatch(request.path):
                return operation(request)
        return html_reply(notice_page("Page not found"), 404)

    def _profile(self, request: Request) -> Reply:
        username = request.path.strip("/").lower()
        nth = self._counts.seen(username)
        account = self._accounts.get(username)
        bad_day = self._bad_day(username)
        odd = self._drawn(_CHAOS, username, nth) or bad_day or (account.behaviour if account else "not_found")
        match odd:
            case "not_found":
                return html_reply(notice_page("Page not found • Instagram (simulated)"), 404)
            case "wall":
                return _redirect(f"/accounts/login/?next=%2F{username}%2F")
            case "challenge":
                return _redirect("/challenge/")
            case "rate_limited":
                return html_reply(notice_page(_PLEASE_WAIT), 429)
            case "restricted":
                return html_reply(restricted_page(username))
            case "server_error":
                return html_reply(notice_page("5xx Server Error"), 503)
            case "dropped":
                return Reply(drop=True)
            case "please_wait":
                return json_reply({"message": _PLEASE_WAIT, "require_login": True, "status": "fail"}, 401)
            case "forbidden":
                return html_reply(notice_page("Forbidden"), 403)
            case "checkpoint":
                return json_reply({"message": "checkpoint_required", "lock": True, "status": "fail"}, 400)
        page = profile_page(username, _shown(account, odd), drift=odd == "drift")
        return html_reply(page[: len(page) // 2] if odd == "truncated" else page)

    def _web_profile_info(self, request: Request) -> Reply:
        username = next(iter(request.query.get("username", [])), "").lower()
        self._counts.seen(username)
        account = self._accounts.get(username)
        if account is None or account.behaviour == "not_found":
            return json_reply({"message": "", "status": "fail"}, 404)
        if account.behaviour == "rate_limited":
            return json_reply({"message": _PLEASE_WAIT, "status": "fail"}, 429)
        return json_reply({"data": {"user": legacy_user(account)}, "status": "ok"})

    def _query(self, request: Request) -> Reply:
        """A query of the web app, known by its variables: the numbers of queries change too often."""
        variables = variables_of(request)
        match variables:
            case {"shortcode": code}:
                return self.feeds.post(request, str(code))
            case {"username": str(username), "first": _}:
                return self.feeds.timeline(request, self._accounts.get(username))
            case {"data": {"target_user_id": pk}}:
                return self.feeds.reels(request, str(pk))
        account = self._by_pk.get(str(variables.get("id")))
        if account is None or account.behaviour == "not_found":
            return json_reply({"data": {"user": None}, "status": "ok"})
        self._counts.seen(account.username)
        return json_reply({"data": {"user": page_user(account)}, "status": "ok"})

    def _picture(self, request: Request) -> Reply:
        named = _PICTURE_PATH.fullmatch(request.path)
        account = self._accounts.get(named[2]) if named else None
        if named is None or account is None:
            return Reply(404, b"Not Found", "text/plain")
        nth = self._counts.seen(account.username)
        refusal = _signature_refusal(request, account)
        odd = self._drawn(_PICTURE_CHAOS, account.username, nth) or account.behaviour
        if refusal or odd == "picture_forbidden":
            return Reply(403, (refusal or "Forbidden").encode(), "text/plain")
        if odd == "picture_dropped":
            return Reply(drop=True)
        if odd == "picture_server_error":
            return Reply(503, b"Service Unavailable", "text/plain")
        if odd == "picture_is_html":
            return html_reply(notice_page("This is a page that says it is a picture"))
        of_post = named[1] if named[1] != str(account.id) else ""
        return Reply(
            200, tile(account, of_post), "image/jpeg", {"Cache-Control": "max-age=1209600, no-transform"}
        )

    def _data_trouble(self, subject: str) -> str:
        nth, bad_day = self._counts.seen(subject), self._bad_day(subject)
        return self._drawn(DATA_CHAOS, subject, nth) or bad_day

    def _bad_day(self, username: str) -> str:
        """The word of its script for the next request about an account."""
        account = self._accounts.get(username)
        if account is None or account.script is None:
            return ""
        self._asked[username] += 1
        return account.script.bad_day(self._asked[username])

    def _drawn(self, chaos: Sequence[tuple[str, float]], username: str, nth: int) -> str:
        if self._chaos is None or username == CANARY:
            return ""
        left = seeded_share("instagram chaos", self._chaos, username, nth)
        for name, share in chaos:
            if left < share:
                return name
            left -= share
        return ""


def _shown(account: SimulatedAccount | None, odd: str) -> dict[str, Any] | None:
    """The user object of the page, without the parts that chaos removes."""
    if account is None or odd == "no_account":
        return None
    user = page_user(account)
    if odd == "without_pk":
        del user["pk"]
    if odd == "null_bio":
        user["biography"] = None
    return user


def _signature_refusal(request: Request, account: SimulatedAccount) -> str:
    today = picture_url(account)
    try:
        expires_at = int(request.query["oe"][0], 16)
        signature = request.query["oh"][0]
    except (KeyError, ValueError):
        return "Bad URL timestamp"
    if signature != PictureUrl(today.host, request.path, expires_at).signature:
        return "Bad URL hash"
    return "URL signature expired" if expires_at <= time.time() else ""
