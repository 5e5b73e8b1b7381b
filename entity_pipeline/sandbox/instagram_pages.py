"""The HTML that the Instagram stand-in serves.

The profile's data is in a `data-sjs` script, in `require` lists some levels deep, as one query result beside others.
"""

import html
import json
from collections.abc import Mapping
from typing import Any

_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><p>Simulated page of the local stand-in.</p>
{scripts}
</body></html>"""


def profile_page(username: str, user: Mapping[str, Any] | None, *, drift: bool = False) -> str:
    """A profile page. With `user` None it is the page served when the query found no account.

    `drift`: the same data under an unknown name, as after a release of the web app.
    """
    key = "xig_user_by_handle_v2" if drift else "xig_user_by_username"
    shown = dict(user) if user else None
    if drift and shown:
        shown["user_pk"] = shown.pop("pk")
    posts: dict[str, Any] = {"xig_user_by_username": None}
    if shown and not drift:
        posts = {key: {"polaris_ordered_timeline_connection": {}}}
    scripts = "\n".join(
        (
            _script({"require": [["HasteSupportData", "handle", None, [{"clpData": {}}]]]}),
            _script(_embedded("PolarisLoggedOutProfilePageQuery", {key: shown})),
            _script(_embedded("PolarisLoggedOutProfilePostsQuery", posts)),
        )
    )
    return _PAGE.format(title=html.escape(f"@{username} • simulated profile"), scripts=scripts)


def restricted_page(username: str) -> str:
    """The page in place of a profile with an age limit: the query found no account, and a notice says why."""
    notice = "<h2>Restricted profile</h2><p>You must be 18 years old or over to see this profile.</p>"
    return profile_page(username, None).replace("</body>", f"{notice}</body>")


def start_page() -> str:
    """The logged-out start page with the token that the web app's queries carry."""
    token = _script({"define": [["LSD", [], {"token": "simulated"}, 323]]})
    return _PAGE.format(title="Instagram (simulated)", scripts=token)


def signed_in_page() -> str:
    """The start page of an account: the tokens that its queries carry, written as the site writes them."""
    tokens = (
        '["DTSGInitialData",[],{"token":"simulated"}],["LSD",[],{"token":"simulated"}],"IG_USER_EIMU":"17"'
    )
    return _PAGE.format(title="Instagram (simulated)", scripts=f"<script>{tokens}</script>")


def notice_page(title: str) -> str:
    """A page without data: login, challenge, not found."""
    return _PAGE.format(title=html.escape(title), scripts="")


def _embedded(query: str, data: Mapping[str, Any]) -> dict[str, Any]:
    result = {"data": data, "extensions": {"is_final": True}}
    preloader = [f"adp_{query}RelayPreloader_simulated", {"__bbox": {"complete": True, "result": result}}]
    inner = {"require": [["RelayPrefetchedStreamCache", "next", [], preloader]]}
    return {"require": [["ScheduledServerJS", "handle", None, [{"__bbox": inner}]]]}


def _script(value: Any) -> str:
    # A "</script>" inside a bio would end the block.
    text = json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
    return f'<script type="application/json" data-content-len="{len(text)}" data-sjs>{text}</script>'
