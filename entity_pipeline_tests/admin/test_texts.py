"""The words: both languages complete, and the pipeline's own sentences known by their form."""

import inspect
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from starlette.requests import Request

from entity_pipeline.admin.figures import QueueSort, QueueState
from entity_pipeline.admin.settings_form import NAMES
from entity_pipeline.admin.texts import (
    FORMS,
    LANGUAGES,
    Texts,
    catalogue,
    language_of,
    placeholders,
    visible,
)
from entity_pipeline.core.gemini.access import Unanswered
from entity_pipeline.core.gemini.ledger import QuotaStatus
from entity_pipeline.core.settings import Closed, Open, SettingsRow
from entity_pipeline.domains.entities import automation
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, plan
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import AccountRole, AccountType
from entity_pipeline.domains.entities.reviews.logic.reply import UnparseableReason
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.alerts import sensor as alerting
from entity_pipeline_tests.settings_rows import entities_gate

RESET = datetime(2026, 11, 22, 8, tzinfo=UTC)


def status(**changes: object) -> QuotaStatus:
    values: dict[str, object] = {
        "model": "m",
        "unit": "prompt",
        "quota_day": date(2026, 11, 21),
        "used": 0,
        "reserved": 0,
        "cap": 10,
        "units_per_request": 1,
        "blocked_until": None,
        "resets_at": RESET,
        "spent_usd": Decimal(0),
        "spend_limit_usd": Decimal(10),
    }
    return QuotaStatus(**{**values, **changes})  # type: ignore[arg-type]


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    english, korean = catalogue("en"), catalogue("ko")
    assert set(english) == set(korean)
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in korean.items()
    }


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_value_that_the_page_shows_has_a_word(language: str) -> None:
    wanted = [f"state.{state}" for state in QueueState] + [f"state_means.{state}" for state in QueueState]
    wanted += [f"sort.{sort}" for sort in QueueSort]
    wanted += [f"{kind}.{reason}" for kind in ("reason", "why") for reason in HoldReason]
    wanted += [f"reason.{reason}" for reason in UnparseableReason]
    wanted += [
        f"reason.{reason}" for reason in (Unanswered.OVERLOADED, Unanswered.UNREACHABLE, Unanswered.NO_REPLY)
    ]
    wanted += [f"type.{kind}" for kind in (*AccountType, "none")] + [
        f"role.{role}" for role in (*AccountRole, "none")
    ]
    wanted += [f"setting.{name}{part}" for name in NAMES for part in ("", ".hint")]
    assert [key for key in wanted if key not in catalogue(language)] == []


@pytest.mark.parametrize("key", sorted(FORMS))
def test_a_wording_uses_only_what_the_sentence_holds(key: str) -> None:
    assert placeholders(catalogue("en")[key]) <= placeholders(FORMS[key])


def hold_off(**changes: object) -> str:
    decision = plan(Open(EntitySettings()), [], frozenset(), status(**changes))
    assert isinstance(decision, HoldOff)
    return decision.reason


def closed(row: SettingsRow | None) -> str:
    state = entities_gate(row)
    assert isinstance(state, Closed)
    return str(state.reason)


def worked_on() -> str:
    decision = plan(Open(EntitySettings()), [], frozenset({date(2026, 11, 1)}), status())
    assert isinstance(decision, HoldOff)
    return decision.reason


SAID = {
    "said.off": closed(SettingsRow(False, {})),
    "said.no_row": closed(None),
    "said.no_switch": closed(SettingsRow(None, {})),
    "said.bad_settings": closed(SettingsRow(True, {"concurrency": 0})),
    "said.blocked": hold_off(blocked_until=RESET),
    "said.cap": hold_off(used=10),
    "said.spend": hold_off(spent_usd=Decimal(10)),
    "said.nothing_waits": hold_off(),
    "said.worked_on": worked_on(),
}


@pytest.mark.parametrize("key", sorted(SAID))
def test_what_the_pipeline_says_is_worded_in_korean(key: str) -> None:
    korean, english = Texts("ko").said(SAID[key]), Texts("en").said(SAID[key])
    assert korean is not None
    assert english is not None
    assert any("가" <= letter <= "힣" for letter in korean)
    assert "{" not in korean


SAID_BY_SENSORS = {
    "said.on": "The pipeline is switched on.",
    "said.off_queue_empty": closed(SettingsRow(False, {})) + " No run was in the queue.",
    "said.off_queue_cleared": closed(SettingsRow(False, {})) + " 3 queued runs were cancelled.",
    "said.no_new_post": "No post changed since the last look.",
    "said.all_decided": "Every reviewed account has a decision.",
    "said.all_in_work": "Every cohort with undecided accounts is already being worked on.",
    "said.no_failed_run": "No run over a cohort failed since the last look.",
    "said.no_alerts": "Nobody is told of anything: set ALERT_WEBHOOK_URL or ALERT_SMTP_URL.",
}


@pytest.mark.parametrize("key", sorted(SAID_BY_SENSORS))
def test_why_a_tick_skipped_is_worded_in_korean(key: str) -> None:
    said = SAID_BY_SENSORS[key]
    assert Texts("ko").said(said) == Texts("ko")(key, **({"n": 3} if "3" in said else {}))
    if not said.startswith(closed(SettingsRow(False, {}))):
        assert f'"{said}"' in inspect.getsource(automation) + inspect.getsource(alerting)


def test_one_of_something_is_not_counted_as_many() -> None:
    assert [Texts("en").count("queue.total", n) for n in (0, 1, 1_234)] == [
        "0 accounts",
        "1 account",
        "1,234 accounts",
    ]


def test_a_sentence_of_another_form_is_not_worded() -> None:
    assert Texts("ko").said("PostgreSQL at 127.0.0.1 can't be reached.") is None


@pytest.mark.parametrize(
    ("query", "cookie", "header", "language"),
    [
        ("", "", "", "en"),
        ("", "", "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("", "", "de, en;q=0.5, ko;q=0.7", "ko"),
        ("", "", "ko;q=x;;;,", "ko"),
        ("", "ko", "en", "ko"),
        ("lang=en", "ko", "ko", "en"),
        ("lang=xx", "xx", "fr", "en"),
    ],
)
def test_the_language_is_the_address_s_then_the_cookie_s_then_the_browser_s(
    query: str, cookie: str, header: str, language: str
) -> None:
    headers = [(b"cookie", f"admin_language={cookie}".encode()), (b"accept-language", header.encode())]
    scope = {"type": "http", "headers": headers, "query_string": query.encode(), "method": "GET", "path": "/"}
    assert language_of(Request(scope)) == language


def test_characters_that_nobody_sees_are_written_out() -> None:
    assert visible("acme\u200b\u202e.shop") == "acme[U+200B][U+202E].shop"
    assert visible("앰버로우") == "앰버로우"
