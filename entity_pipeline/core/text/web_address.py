"""What counts as a web address when one comes from outside: from a setting, a reply or a stored picture.

Which hosts may be asked is not decided here: pictures have a list of their own (`resources/instagram`), sources of a
reply need a real domain (`reviews/logic/grounding`).
"""

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

WEB = ("http", "https")


def address_parts(value: object, schemes: Sequence[str] = WEB) -> SplitResult | None:
    """The parts of an address of one of the schemes with a host and a possible port; None for anything else."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_usable else None


def web_address(value: object) -> str | None:
    """`value` if it is an http or https address, else None, because a ``javascript:`` link would run code."""
    return value if isinstance(value, str) and address_parts(value) is not None else None


def origin(address: SplitResult) -> str:
    """``https://pictures.example:8443``, as a browser compares it."""
    host = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
    port = f":{address.port}" if address.port else ""
    return f"{address.scheme}://{host}{port}"
