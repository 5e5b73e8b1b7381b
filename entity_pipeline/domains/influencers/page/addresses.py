"""The address of the influencers' page, and those of Instagram that it links to, made from codes and usernames only."""

import re

PAGE_PATH = "/admin/data-pipeline/influencers"

_CODE = re.compile(r"[A-Za-z0-9_-]{3,60}", re.ASCII)
_USERNAME = re.compile(r"[a-z0-9._]{1,30}", re.ASCII)


def post_address(code: object) -> str | None:
    """The address of a post at Instagram; None when `code` can't be one."""
    is_code = isinstance(code, str) and _CODE.fullmatch(code) is not None
    return f"https://www.instagram.com/p/{code}/" if is_code else None


def profile_address(username: str) -> str | None:
    """The address of a profile at Instagram; None when no username of Instagram looks like this."""
    return f"https://www.instagram.com/{username}/" if _USERNAME.fullmatch(username) else None
