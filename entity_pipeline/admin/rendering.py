"""The templates of the shell and of each page, and their filters for numbers, money, instants and addresses of files.

An instant is written in UTC. `static/page.js` converts it to the viewer's zone; without JavaScript the page is still
correct, only less convenient. Texts do not belong here: see `texts.py`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup, escape

from entity_pipeline.admin.access import CSRF_FIELD, SESSION_LASTS_S
from entity_pipeline.admin.charts import percent
from entity_pipeline.admin.paths import HOME_PATH, SETTINGS_PATH, SIGN_IN_PATH, SIGN_OUT_PATH, STATIC_PATH
from entity_pipeline.admin.texts import SHELL, number, visible
from entity_pipeline.core.run_address import run_address

_PACIFIC = ZoneInfo("America/Los_Angeles")


def environment(packages: Mapping[str, str]) -> Environment:
    """The templates. Everything is escaped, and an unknown name is an error.

    Args:
        packages: the package of each domain's page by the domain's key, the prefix of its templates' names.
    """
    found = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader(SHELL),
                PrefixLoader({key: PackageLoader(package) for key, package in packages.items()}),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "number": number,
        "usd": usd,
        "utc": utc,
        "pacific": pacific,
        "share": share,
        "visible": visible,
        "host": host,
        "coded": coded,
        "shown_json": lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
        "segment": lambda text: quote(text, safe=""),
    }
    found.globals |= {
        "asset": asset,
        "percent": percent,
        "in_language": in_language,
        "age": age,
        "run_address": run_address,
        "home": HOME_PATH,
        "settings_path": SETTINGS_PATH,
        "sign_in_path": SIGN_IN_PATH,
        "sign_out_path": SIGN_OUT_PATH,
        "csrf_field": CSRF_FIELD,
        "session_hours": SESSION_LASTS_S // 3600,
    }
    return found


@cache
def asset(name: str) -> str:
    """The address of one of our own files, with a hash of its content, so that a browser may cache it."""
    content = (files(SHELL) / "static" / name).read_bytes()
    return f"{STATIC_PATH}/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"


def usd(value: Decimal) -> str:
    """US dollars: with four decimals under a dollar, else with cents."""
    return f"${value:,.4f}" if 0 < value < 1 else f"${value:,.2f}"


def coded(text: str) -> Markup:
    """One of our texts, in which ``` `a command` ``` is shown as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  it is escaped


def utc(at: datetime) -> datetime:
    """The instant in UTC."""
    return at.astimezone(UTC)


def pacific(at: datetime) -> datetime:
    """The instant in the zone of Google's quota days."""
    return at.astimezone(_PACIFIC)


def share(value: float) -> str:
    """A confidence, ``0.93``."""
    return f"{value:.2f}"


def host(address: str) -> str:
    """The host of a link."""
    return urlsplit(address).hostname or address


def age(since: datetime, now: datetime) -> tuple[str, int]:
    """The age as the key of a unit and a number: ``("age.days", 12)``."""
    seconds = max(int((now - since).total_seconds()), 0)
    for unit, length in (("age.days", 86_400), ("age.hours", 3_600), ("age.minutes", 60)):
        if seconds >= length:
            return unit, seconds // length
    return "age.now", 0


def in_language(here: str, language: str) -> str:
    """The same page in another language."""
    path, _, query = here.partition("?")
    return f"{path}?{urlencode({**dict(parse_qsl(query)), 'lang': language})}"
