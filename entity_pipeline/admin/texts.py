"""Every word of the page in English and Korean: `texts/en.json` and `texts/ko.json`, same keys, same placeholders.

Surprising: what the pipeline itself says ("The cap of 1450 ... is reached") arrives as an English sentence. `said`
knows those sentences by their form and words them for the page; one it does not know is shown as it came.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

from fastapi import Request

from entity_pipeline.domains.entities.links.logic.holds import SENTENCES as HOLDS

LANGUAGES: Mapping[str, str] = {"en": "English", "ko": "한국어"}
LANGUAGE_COOKIE = "admin_language"

_OFF = "The pipeline '{name}' is switched off: run `entity-pipeline settings enable {again}` to switch it on."
# The forms of the sentences that the pipeline decides by; a test holds them equal to what it says.
FORMS: Mapping[str, str] = {
    "said.off": _OFF,
    "said.no_row": "pipeline_settings has no row for platform '{platform}': "
    "run `entity-pipeline settings enable {name}` to create it.",
    "said.no_switch": "pipeline_settings.is_enabled is empty for '{row}': "
    "run `entity-pipeline settings enable {name}` or `disable {again}`.",
    "said.bad_settings": "The settings of '{row}' can't be used: {why}.",
    "said.blocked": "Google refuses requests until {until} UTC.",
    "said.cap": "The cap of {cap} grounded requests is reached for the Pacific day {day}; "
    "it opens again at {at} UTC.",
    "said.spend": "The spending limit of {limit} USD is reached for the Pacific day {day}; "
    "it opens again at {at} UTC.",
    "said.worked_on": "No account waits for a review but those of cohorts that are being worked on.",
    "said.nothing_waits": "No account waits for a review.",
    "said.on": "The pipeline is switched on.",
    "said.off_queue_empty": _OFF + " No run was in the queue.",
    "said.off_queue_cleared": _OFF + " {n} queued runs were cancelled.",
    "said.no_new_post": "No post changed since the last look.",
    "said.all_decided": "Every reviewed account has a decision.",
    "said.all_in_work": "Every cohort with undecided accounts is already being worked on.",
    "said.no_failed_run": "No run over a cohort failed since the last look.",
    "said.no_alerts": "Nobody is told of anything: set ALERT_WEBHOOK_URL or ALERT_SMTP_URL.",
    "said.dagster_away": "Dagster's storage can't be read, so ticks and runs are not shown and runs in flight are "
    "not known: check DAGSTER_POSTGRES_URL and DAGSTER_HOME.",
    "said.no_dagster": "DAGSTER_HOME is not set here, so ticks and runs are not shown and runs in flight not known.",
    "said.dagster_slow": "Dagster's storage did not answer within {seconds} s.",
    "said.cursor": "This cursor is not of this list: go to its first page and on from there.",
}


class Texts:
    """The words of one language: ``texts("quota.used")``, ``texts("quota.of", cap="1,450")``."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._known = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text with its placeholders filled. Raises KeyError for a key that is not in the catalogue."""
        return self._known[key].format(**values)

    def count(self, key: str, n: int, **values: object) -> str:
        """A text with a number ``{n}`` in it; that of one is under ``key.one``."""
        return self(f"{key}.one" if n == 1 else key, n=number(n), **values)

    def name(self, group: str, value: str | None) -> str:
        """What a stored value is called, ``("state", "held")``; an unknown one is shown as it is stored."""
        if value is None:
            return self("none")
        return self._known.get(f"{group}.{value}", value.replace("_", " "))

    def known(self, key: str) -> str | None:
        """The text, or None when there is none of this key."""
        return self._known.get(key)

    def said(self, sentence: str) -> str | None:
        """A sentence of the pipeline in the words of the page; None when its form is not known."""
        for key, form in _patterns():
            found = form.fullmatch(sentence)
            if found is not None:
                return self(key, **found.groupdict())
        return None


def language_of(request: Request) -> str:
    """The language asked for by ``?lang``, or else the one chosen before, or else the browser's first known one."""
    for wanted in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wanted in LANGUAGES:
            return str(wanted)
    return _preferred(request.headers.get("accept-language", ""))


def _preferred(header: str) -> str:
    """``"de, ko;q=0.8, en;q=0.5"`` is Korean; what can't be read counts for nothing."""
    found: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, quality = part.strip().partition(";q=")
        language = tag.partition("-")[0].strip().lower()
        if language in LANGUAGES:
            share = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 1.0
            found.append((-share, language))
    return min(found, key=lambda item: item[0])[1] if found else "en"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts by key. The English sentences of held reasons are those of `links/logic/holds.py`."""
    content = (files("entity_pipeline.admin") / "texts" / f"{language}.json").read_text("utf-8")
    known: dict[str, str] = json.loads(content)
    if language == "en":
        known |= {f"why.{reason}": sentence for reason, sentence in HOLDS.items()}
    return known


def placeholders(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = []
    for key, form in FORMS.items():
        parts = [
            re.escape(text) + (f"(?P<{name}>.+?)" if name else "")
            for text, name, _, _ in Formatter().parse(form)
        ]
        found.append((key, re.compile("".join(parts), re.DOTALL)))
    return tuple(found)


def visible(text: str) -> str:
    """`text` with characters that nobody sees written out: a name with a zero-width space is another name."""
    return "".join(
        f"[U+{ord(letter):04X}]" if unicodedata.category(letter) in _UNSEEN else letter for letter in text
    )


_UNSEEN = ("Cf", "Cc", "Cs", "Zl", "Zp")


def number(value: Any) -> str:
    """``1234`` as ``1,234`` and ``10.0`` as ``10``, which both languages write alike."""
    return f"{value:,.10g}" if isinstance(value, float) else f"{value:,}"
