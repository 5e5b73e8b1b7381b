"""The pages as a browser without JavaScript gets them: what they show, what they change, what goes wrong."""

import re
from datetime import date
from html import unescape
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.paths import SIGN_IN_PATH
from entity_pipeline.admin.texts import Texts
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep_all
from entity_pipeline.domains.entities.page.addresses import PAGE_PATH
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline_tests.admin.installations import (
    BEARER,
    CONFIGURATION,
    ORIGIN,
    insert_account,
    installation_of,
    signed_in,
)
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.page.page_data import (
    EVIDENCE_URL,
    HOSTILE,
    NEAR_ID,
    REVIEWED_AT,
    fill_ledger,
    fill_queue,
    review,
    tagged,
)

Connection = psycopg.Connection[Any]
SETTINGS = PAGE_PATH + "/-/settings"
SWITCH = PAGE_PATH + "/-/switch"


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page, by name; the last one counts."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def form_of(page: str) -> dict[str, str]:
    """The form of limits as a browser would send it."""
    fields = dict(re.findall(r'<input id="([^"]+)" name="\1"[^>]*? value="([^"]*)"', page))
    chosen = dict(re.findall(r'<select id="([^"]+)".*?<option value="(\w+)" selected', page, re.DOTALL))
    return {**hidden(page), **fields, **chosen}


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


# --- who gets in ---


@pytest.mark.parametrize("path", [PAGE_PATH, PAGE_PATH + "/amber.row", SETTINGS, PAGE_PATH + "/-/export.csv"])
def test_a_stranger_is_sent_to_sign_in_and_back(client: TestClient, path: str) -> None:
    answer = client.get(path + "?state=held")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{SIGN_IN_PATH}?next={quote(path + '?state=held', safe='')}"


def test_a_part_that_is_refreshed_without_a_session_sends_the_whole_page_to_sign_in(
    client: TestClient,
) -> None:
    answer = client.get(PAGE_PATH, headers={"HX-Request": "true", "HX-Target": "quota-now"})
    assert answer.headers["hx-redirect"].startswith(SIGN_IN_PATH)
    assert "quota" not in answer.text


@pytest.mark.parametrize("path", [SWITCH, SETTINGS])
def test_a_change_without_the_session_s_token_is_refused(
    person: TestClient, assets: Connection, path: str
) -> None:
    sent = {**hidden(person.get(PAGE_PATH).text), "csrf_token": "0" * 64, "accounts_per_tick": "1"}
    answer = person.post(path, data=sent)
    assert answer.status_code == 403
    assert "This form has expired" in answer.text
    assert assets.execute(
        "select is_enabled, settings from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == (False, {})


def test_the_sign_in_page_says_what_was_wrong_and_never_what_was_typed(client: TestClient) -> None:
    answer = client.post(SIGN_IN_PATH, data={"token": "typed-by-mistake", "name": "x"}, follow_redirects=True)
    assert "The token is wrong." in answer.text
    assert "typed-by-mistake" not in answer.text


# --- the first page ---


def test_an_empty_database_says_what_to_do(person: TestClient) -> None:
    page = text_of(person.get(PAGE_PATH).text)
    assert "No account has been found in posts yet." in page
    assert "It is switched off." in page
    assert "Nothing waits for a web search." in page


def test_the_page_shows_the_budget_of_the_month_and_the_model_that_answers(
    person: TestClient, app: FastAPI, assets: Connection
) -> None:
    fill_ledger(assets)
    assets.execute(
        "update pipeline_settings set settings = settings || '{\"monthly_spend_usd\": 1234.5}' "
        "where platform = 'gemini'"
    )
    page = text_of(person.get(PAGE_PATH).text)
    assert re.search(r"Spent this month \$[\d.]+ of \$1,234\.50", page)
    assert "Model that answers in place of" not in page
    assets.execute("update gemini_usage_events set billed_model = 'gemini-3.5-flash-lite'")
    quota = TestClient(app, base_url=ORIGIN, headers=BEARER).get("/api/v1/quota").json()
    assert quota["answered_by"] == "gemini-3.5-flash-lite"
    assert quota["closed_because"].startswith("Gemini answered with gemini-3.5-flash-lite in place of ")
    assert quota["budgets"][0]["limit_usd"] == "1234.5"
    page = text_of(person.get(PAGE_PATH).text)
    assert f"Model that answers in place of {quota['model']} gemini-3.5-flash-lite" in page
    assert "Gemini answered with gemini-3.5-flash-lite in place of " in page


def test_the_page_shows_what_each_domain_spends_and_its_share(
    person: TestClient, app: FastAPI, assets: Connection
) -> None:
    fill_ledger(assets)
    page = text_of(person.get(PAGE_PATH).text)
    assert re.search(r"Instagram accounts \$[\d.]+ no share of its own \$[\d.]+", page)
    assets.execute(
        'update pipeline_settings set settings = settings || \'{"shares": {"entities": 2.5}}\' '
        "where platform = 'gemini'"
    )
    for path in (PAGE_PATH, "/admin"):
        assert re.search(r"Instagram accounts \$[\d.]+ \$2\.50 \$[\d.]+", text_of(person.get(path).text)), (
            path
        )
    quota = TestClient(app, base_url=ORIGIN, headers=BEARER).get("/api/v1/quota").json()
    entities = next(one for one in quota["domains"] if one["domain"] == "entities")
    assert entities["share_usd"] == "2.5"
    assert entities["today_usd"] == quota["spent_usd"]


def test_the_first_page_shows_what_each_domain_asks_of_instagram_and_its_share(
    person: TestClient, assets: Connection
) -> None:
    assets.execute(
        "insert into instagram_request_log (account_key, route, host, domain, operation, target, requested_at) "
        "values ('anonymous:direct', 'direct', 'h', 'entities', 'profile', 'a', now()), "
        "('anonymous:direct', 'direct', 'h', 'zoo', 'profile', 'a', now())"
    )
    page = text_of(person.get("/admin").text)
    assert "Instagram accounts 1 no share of its own Influencers 0 no share" in page
    assert "zoo 1 no share of its own" in page
    assets.execute(
        'update pipeline_settings set settings = settings || \'{"shares": {"entities": 0.25}}\' '
        "where platform = 'instagram'"
    )
    page = text_of(person.get("/admin").text)
    assert "Instagram accounts 1 25% Influencers 0 no share" in page
    assert "zoo 1 no share of its own" in page


def test_the_figures_of_the_page_are_those_of_the_api(
    person: TestClient, app: FastAPI, assets: Connection, operation: Connection
) -> None:
    fill_ledger(assets)
    fill_queue(operation)
    quota = TestClient(app, base_url=ORIGIN, headers=BEARER).get("/api/v1/quota").json()
    page = person.get(PAGE_PATH).text
    assert quota["used"] == 24
    assert '<span class="big-number" id="quota-used">24</span>' in page
    assert f'<dd id="quota-remaining">{quota["remaining"]:,}</dd>' in page
    forecast = quota["forecast"]
    assert f"{forecast['pending']} items wait" in page
    done_on = Texts("en").day(date.fromisoformat(forecast["done_on"]))
    assert f"At {forecast['per_day']:,} per day, they will be done on the Pacific day {done_on}." in page
    assert len(re.findall(r'<rect class="column', page)) == 30 - quota["history"].count(0)
    for day in quota["history"]:
        assert (
            f"<title>{Texts('en').day(date.fromisoformat(day['day']))}: {day['grounded_requests']:,}</title>"
            in page
        )


@pytest.mark.parametrize(
    ("behind", "says"),
    [
        ("interval '1 minute'", False),
        ("interval '2 hours'", True),
    ],
)
def test_the_page_says_as_of_when_the_list_is_and_when_that_is_late(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, assets: Connection, behind: str, says: bool
) -> None:
    sweep_all(operation_db, assets_db)
    at = installation_of(PostgresResource(url=assets_db.url), operation_db)
    person = signed_in(create_app(DOMAINS, at, CONFIGURATION))
    assets.execute(f"update enrichment_queue_sweep set as_of = now() - {behind}".encode())
    page = text_of(person.get(PAGE_PATH).text)
    assert re.search(r"The list is as of \S+ \d", page)
    assert ("The list is behind" in page) == says


def test_a_list_that_was_never_filled_is_said(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    at = installation_of(PostgresResource(url=assets_db.url), operation_db)
    page = text_of(signed_in(create_app(DOMAINS, at, CONFIGURATION)).get(PAGE_PATH).text)
    assert "The list is not filled yet." in page


def test_filters_search_sort_and_pages_work_as_plain_links_and_forms(
    person: TestClient, operation: Connection
) -> None:
    fill_queue(operation)
    assert rows(person.get(PAGE_PATH + "?state=held&type=artist").text) == ["haneul.stage"]
    assert rows(person.get(PAGE_PATH + "?reason=broken_json").text) == ["brokenreply.madeup"]
    assert rows(person.get(PAGE_PATH + "?search=amber").text) == ["amber.row"]
    assert rows(person.get(PAGE_PATH + "?region=kr&role=primary&state=created").text) == ["amber.row"]
    first = person.get(PAGE_PATH + "?search=shop_&sort=username&state=").text
    assert rows(first) == [f"shop_{nth:03}" for nth in range(50)]
    onward = re.search(r'rel="next" href="([^"]+)"', first)
    assert onward is not None
    second = person.get(unescape(onward[1]).partition("#")[0]).text
    assert rows(second) == [f"shop_{nth:03}" for nth in range(50, 60)]
    assert 'rel="next"' not in second


def rows(page: str) -> list[str]:
    return re.findall(r'<bdi class="handle">([^<]+)</bdi></a>', page)


def test_an_unknown_filter_value_is_left_out_and_reported(person: TestClient, operation: Connection) -> None:
    fill_queue(operation, pending=1)
    page = person.get(PAGE_PATH + "?state=gone&search=amber&cohort=tomorrow&lang=en").text
    assert rows(page) == ["amber.row"]
    assert "not a valid value of State: gone" in text_of(page)
    assert "not a valid value of Cohort: tomorrow" in text_of(page)


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "search=%00", "search=%ff", "reason=%3Cb%3E", "sort=x&limit=9", "state=held&state=x"],
)
def test_no_address_breaks_the_page(person: TestClient, query: str) -> None:
    answer = person.get(f"{PAGE_PATH}?{query}")
    assert answer.status_code == 200
    assert "Scheduler" in answer.text


def test_a_part_is_sent_alone_to_htmx_and_the_whole_page_when_history_is_restored(
    person: TestClient, operation: Connection
) -> None:
    fill_queue(operation, pending=1)
    part = {"HX-Request": "true", "HX-Target": "results-now"}
    assert rows(person.get(PAGE_PATH + "?search=amber", headers=part).text) == ["amber.row"]
    assert "<html" not in person.get(PAGE_PATH, headers=part).text
    for target in ("scheduler-now", "quota-now", "facets-now"):
        alone = person.get(PAGE_PATH, headers={**part, "HX-Target": target}).text
        assert "<html" not in alone
        assert rows(alone) == []
    assert "<html" in person.get(PAGE_PATH, headers={**part, "HX-History-Restore-Request": "true"}).text


def test_the_list_is_exported_as_it_is_filtered(person: TestClient, operation: Connection) -> None:
    fill_queue(operation, pending=2)
    page = person.get(PAGE_PATH + "?search=shop_").text
    found = re.search(r'href="([^"]+export\.csv[^"]*)"', page)
    assert found is not None
    lines = person.get(unescape(found[1])).text.splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ["shop_000", "shop_001"]


# --- changes ---


def test_the_switch_is_written_with_its_author_and_confirmed(
    person: TestClient, assets: Connection, operation: Connection
) -> None:
    answer = person.post(SWITCH, data=hidden(person.get(PAGE_PATH).text))
    assert answer.status_code == 303
    assert assets.execute(
        "select is_enabled, updated_by from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == (
        True,
        "page:Min-ji",
    )
    who = operation.execute("select metadata ->> 'who' from admin_audit_log").fetchone()
    assert who == ("Min-ji",)
    assert "Switched on." in person.get(answer.headers["location"]).text


@pytest.mark.parametrize(("language", "bounds"), [("en", "From 0 to 1,000,000."), ("ko", "0~1,000,000.")])
def test_a_settings_form_says_its_bounds_before_an_error_and_names_the_command_for_the_rest(
    person: TestClient, language: str, bounds: str
) -> None:
    page = unescape(person.get(f"/admin/settings/gemini?lang={language}").text)
    assert bounds in page
    assert "entity-pipeline settings set gemini 'shares={}'" in page
    own = unescape(person.get(f"{SETTINGS}?lang={language}").text)
    assert 'name="instagram_backfill_enabled"' in own
    assert "entity-pipeline settings set entities 'calibration={}'" in own


def test_lists_of_a_shared_row_are_saved_by_the_form(person: TestClient, assets: Connection) -> None:
    page = person.get("/admin/settings/gemini?lang=en").text
    sent = {**form_of(page), "accept_models": "gemini-a, gemini-b", "ungrounded_pipelines": "captions"}
    assert person.post("/admin/settings/gemini", data=sent).status_code in (200, 303)
    stored = assets.execute("select settings from pipeline_settings where platform = 'gemini'").fetchone()
    assert stored is not None
    assert stored[0]["accept_models"] == ["gemini-a", "gemini-b"]
    assert stored[0]["ungrounded_pipelines"] == ["captions"]


def test_the_alerts_have_a_switch_that_says_what_it_stops(person: TestClient, assets: Connection) -> None:
    page = person.get("/admin/settings/notify?lang=en").text
    answer = person.post("/admin/settings/notify/switch", data=hidden(page))
    assert assets.execute(
        "select is_enabled from pipeline_settings where platform = 'notify'"
    ).fetchone() == (False,)
    assert "Switched off. No alerts are sent." in person.get(answer.headers["location"]).text


def test_a_switch_made_from_an_older_page_changes_nothing_and_shows_both(
    person: TestClient, app: FastAPI, assets: Connection
) -> None:
    old = hidden(person.get(PAGE_PATH).text)
    other = signed_in(app)
    assert other.post(SWITCH, data=hidden(other.get(PAGE_PATH).text)).status_code == 303
    answer = person.post(SWITCH, data={**old, "is_enabled": "false"})
    assert answer.status_code == 409
    assert "You wanted: Off It is now: On, by page:Min-ji" in text_of(answer.text)
    assert assets.execute(
        "select is_enabled from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == (True,)


def test_a_bad_limit_is_explained_beside_its_field_and_keeps_what_was_typed(
    person: TestClient, assets: Connection
) -> None:
    form = form_of(person.get(SETTINGS).text)
    answer = person.post(SETTINGS, data={**form, "thresholds.brand": "85", "concurrency": "4"})
    assert answer.status_code == 422
    assert '<p class="field-problem" id="thresholds.brand-problem">Must be from 0 to 1.</p>' in answer.text
    sent_back = form_of(answer.text)
    assert (sent_back["thresholds.brand"], sent_back["concurrency"]) == ("85", "4")
    assert assets.execute(
        "select settings from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == ({},)


def test_saving_stores_only_what_was_changed(person: TestClient, assets: Connection) -> None:
    form = form_of(person.get(SETTINGS).text)
    assert person.post(SETTINGS, data=form).headers["location"].endswith("?done=nothing#scheduler")
    answer = person.post(SETTINGS, data={**form, "accounts_per_tick": "900"})
    assert answer.headers["location"].endswith("?done=saved#scheduler")
    assert assets.execute(
        "select settings from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == ({"accounts_per_tick": 900},)


def test_a_conflict_of_limits_shows_both_values_and_keeps_the_other_persons_other_changes(
    person: TestClient, app: FastAPI, assets: Connection
) -> None:
    mine = form_of(person.get(SETTINGS).text)
    other = signed_in(app)
    theirs = {**form_of(other.get(SETTINGS).text), "accounts_per_tick": "700", "concurrency": "2"}
    assert other.post(SETTINGS, data=theirs).status_code == 303
    answer = person.post(SETTINGS, data={**mine, "accounts_per_tick": "900"})
    assert answer.status_code == 409
    assert "Now: 700. Yours: 900." in answer.text
    again = form_of(answer.text)
    assert (again["accounts_per_tick"], again["concurrency"]) == ("900", "2")
    assert person.post(SETTINGS, data=again).status_code == 303
    assert assets.execute(
        "select settings from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == ({"accounts_per_tick": 900, "concurrency": 2},)


@pytest.mark.parametrize("updated_at", ["yesterday", "2026-11-21", "9" * 90])
def test_a_form_that_was_tampered_with_causes_no_server_error(person: TestClient, updated_at: str) -> None:
    sent = {**hidden(person.get(PAGE_PATH).text), "updated_at": updated_at}
    assert person.post(SWITCH, data=sent).status_code == 422
    assert person.post(SETTINGS, data=sent).status_code == 422


# --- one account ---


def test_an_account_shows_what_was_reviewed_what_was_written_and_what_it_cost(
    person: TestClient, operation: Connection, assets: Connection
) -> None:
    fill_queue(operation, pending=0)
    fill_ledger(assets, today=2)
    page = person.get(PAGE_PATH + "/amber.row").text
    said = text_of(page)
    for expected in (
        "Brand · Primary · KR",
        "needs 0.85 to be written automatically",
        "Seoul womenswear label",
        "앰버로우 브랜드",
        "Created automatically.",
        "anonymous:direct",
        "update · accounts",
        "Pipeline",
        "$0.0032",
    ):
        assert expected in said
    assert (
        f'<a href="{EVIDENCE_URL.replace("&", "&amp;")}" target="_blank" rel="noopener noreferrer nofollow">'
        in page
    )
    assert 'src="https://pictures.example/p/amber.jpg"' in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert 'href="https://catalog.example/accounts/' in page
    assert "<form" not in page.partition("<main")[2]  # nothing is approved or edited here


def test_a_failed_account_is_asked_again_with_one_button(
    person: TestClient, app: FastAPI, operation: Connection
) -> None:
    review = {"status": "failed", "attempts": 3, "error": {"reason": "refused", "detail": "No."}}
    insert_account(operation, "Failed.One", {"gemini_review": review, **tagged(1)})
    page = person.get(PAGE_PATH + "/failed.one").text
    assert "Ask Gemini again" in page
    sent = {name: value for name, value in hidden(page).items() if name in ("csrf_token", "username", "what")}
    answer = person.post(PAGE_PATH + "/-/again", data=sent, follow_redirects=True)
    assert "The account waits for its review again." in answer.text
    assert "Review asked for again" in text_of(answer.text)
    assert "Ask Gemini again" not in answer.text
    refused = TestClient(app, base_url=ORIGIN, headers=BEARER).post("/api/v1/accounts/failed.one/ask-again")
    assert refused.status_code == 422
    assert refused.json()["detail"] == "Nothing was changed: the review of Failed.One has not failed."
    assert person.post(PAGE_PATH + "/-/again", data={**sent, "csrf_token": "0"}).status_code == 403


def test_a_held_account_is_decided_again_and_its_type_is_only_a_claim_without_proof(
    person: TestClient, app: FastAPI, operation: Connection
) -> None:
    held = {"status": "held", "reasons": ["claim_unproven"], "reviewed_at": REVIEWED_AT}
    insert_account(
        operation, "held.one", {"gemini_review": review("brand"), "catalog_link": held, **tagged(1)}
    )
    for path in (PAGE_PATH + "?search=eld.on", PAGE_PATH + "/held.one"):
        said = text_of(person.get(path).text)
        assert "Unproven" in said
        assert "the review says: Brand" in said
    api = TestClient(app, base_url=ORIGIN, headers=BEARER)
    assert api.post("/api/v1/entities/accounts/held.one/decide-again").status_code == 204
    assert api.get("/api/v1/accounts/held.one").json()["state"] == "undecided"


def test_the_posts_that_tag_an_account_are_shown_with_day_words_and_link(
    person: TestClient, assets: Connection, operation: Connection
) -> None:
    caption = "Walking through Seoul with a coat " * 9
    row = assets.execute(
        "insert into raw_posts (platform, external_id, caption, created_at) "
        "values ('instagram', 'DCxAmple01', %s, '2026-11-20 09:00+00') returning id",
        [caption],
    ).fetchone()
    assert row is not None
    tags = tagged(1)
    tags["tagging"]["sample_posts"] = [str(row[0]), "not-an-id"]
    insert_account(operation, "tagged.one", tags)
    page = person.get(PAGE_PATH + "/tagged.one").text
    assert "Walking through Seoul with a coat Walking" in page
    assert caption not in page
    assert 'href="https://www.instagram.com/p/DCxAmple01/"' in page
    assert "Nov 20, 2026" in page
    assert str(row[0]) not in page


def test_suggestions_without_content_leave_no_empty_box(person: TestClient, operation: Connection) -> None:
    empty = {**review("brand"), "search_entry_point": "<style>.chip{}</style><div> </div>"}
    insert_account(operation, "nothing.found", {"gemini_review": empty, **tagged(1)})
    assert "<iframe" not in person.get(PAGE_PATH + "/nothing.found").text


def test_a_held_account_shows_what_its_reasons_are_about(person: TestClient, operation: Connection) -> None:
    fill_queue(operation, pending=1)
    page = person.get(PAGE_PATH + "/haneul.stage?lang=en").text
    shown = [text_of(part) for part in re.findall(r'<ul class="facts-of">(.*?)</ul>', page, re.DOTALL)]
    assert shown == [
        "Confidence: 0.71 Needed: 0.90",
        f"Catalog: Haneul / 하늘<b> artists {NEAR_ID[:8]} Its primary account: @haneul.official",
    ]
    assert f'href="{PAGE_PATH}/haneul.official"' in page


def test_a_held_account_says_why_in_both_languages(person: TestClient, operation: Connection) -> None:
    fill_queue(operation, pending=0)
    assert (
        "The confidence is below the threshold for this type." in person.get(PAGE_PATH + "/haneul.stage").text
    )
    assert "신뢰도가 이 유형의 기준값보다 낮습니다." in person.get(PAGE_PATH + "/haneul.stage?lang=ko").text


@pytest.mark.parametrize("name", ["a/b", "../x", "a b", "?x=1", "#x", "앰버", "-"])
def test_every_username_has_a_page_of_its_own(person: TestClient, operation: Connection, name: str) -> None:
    insert_account(operation, name, tagged(1))
    assert f'href="{PAGE_PATH}/{quote(name, safe="")}"' in person.get(PAGE_PATH).text
    answer = person.get(f"{PAGE_PATH}/{quote(name, safe='')}")
    assert answer.status_code == 200
    assert f'<h1><bdi class="handle">{name}</bdi></h1>' in answer.text


def test_text_from_outside_is_never_markup(person: TestClient, operation: Connection) -> None:
    fill_queue(operation, pending=0)
    hostile = operation.execute(
        "select username from instagram_accounts where username like '@<b>%'"
    ).fetchone()
    assert hostile is not None
    for path in (
        PAGE_PATH,
        f"{PAGE_PATH}/{quote(hostile[0], safe='')}",
        f"{PAGE_PATH}?search={quote(HOSTILE)}",
    ):
        answer = person.get(path)
        assert answer.status_code == 200
        page = answer.text
        assert "<img src=x" not in page
        assert "<script>window" not in page
        assert "javascript:" not in page
        assert "<b>x" not in page
        assert "{{7*7}}" in page
    assert "[U+202E]" in page or "[U+202E]" in person.get(PAGE_PATH).text


def test_a_picture_of_another_host_is_never_loaded(person: TestClient, operation: Connection) -> None:
    enrichment = {"profile_backfill": {"status": "found", "image": {"url": "https://tracker.example/x.jpg"}}}
    insert_account(operation, "followed", enrichment)
    page = person.get(PAGE_PATH + "/followed").text
    assert "tracker.example" in page
    assert '<img src="' not in page


# --- when something is wrong ---


def test_a_missing_account_is_a_page_with_a_way_back(person: TestClient) -> None:
    answer = person.get(PAGE_PATH + "/nobody")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert f'href="{PAGE_PATH}"' in answer.text


def test_a_database_that_is_away_takes_only_its_part_with_it(assets_db: ClonedDatabase) -> None:
    gone = PostgresResource(url="postgresql://nobody:secret-word@127.0.0.1:1/operation")
    person = signed_in(create_app(DOMAINS, installation_of(assets_db, gone), CONFIGURATION))
    answer = person.get(PAGE_PATH)
    said = text_of(answer.text)
    assert answer.status_code == 200
    assert "The list can't be read." in said
    assert "entity-pipeline doctor" in said
    assert "of 1,450 grounded requests used today" in said
    assert "secret-word" not in answer.text
    account = person.get(PAGE_PATH + "/amber.row?lang=ko")
    assert account.status_code == 503
    assert "데이터베이스에 연결할 수 없습니다" in account.text


@pytest.mark.parametrize("path", [PAGE_PATH, SETTINGS, PAGE_PATH + "/amber.row", PAGE_PATH + "/nobody"])
def test_every_page_speaks_korean_and_remembers_it(
    person: TestClient, operation: Connection, path: str
) -> None:
    fill_queue(operation, pending=1)
    assert '<html lang="ko">' in person.get(path + "?lang=ko").text
    assert '<html lang="ko">' in person.get(path).text
    assert '<html lang="en">' in person.get(path + "?lang=en").text


def test_only_our_own_static_files_may_be_cached(client: TestClient, person: TestClient) -> None:
    page = client.get(SIGN_IN_PATH)
    assert page.headers["cache-control"] == "no-store"
    for address in re.findall(r'(?:href|src)="(/admin/static/[^"]+)"', page.text):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert "immutable" not in client.get(address.partition("?")[0]).headers.get("cache-control", "")
    assert re.findall(r'(?:src|action)="(?:https?:)?//', person.get(PAGE_PATH).text) == []
    assert not re.search(r"<[^>]+ style=|<style|<script(?! src)|<[^>]+ on\w+=", person.get(PAGE_PATH).text)


def test_an_account_whose_name_is_not_a_handle_was_never_asked_about(
    person: TestClient, operation: Connection
) -> None:
    insert_account(operation, "no handle at all")
    page = person.get(f"{PAGE_PATH}/no%20handle%20at%20all").text
    assert "No request was made for this account." in page
    assert "The ledger can&#39;t be read" not in page
