"""The page in a real browser: what a person does, sees and hears, and what may never run.

Every page that a test opens is watched. An error in the console, or anything that the content policy
had to stop, fails the test that caused it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from fastapi import FastAPI

from entity_pipeline.admin.paths import SIGN_IN_PATH
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.page.addresses import PAGE_PATH
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline_tests import browser as headless
from entity_pipeline_tests.admin.installations import TOKEN, insert_account
from entity_pipeline_tests.admin.serving import served
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, graph, plain
from entity_pipeline_tests.domains.entities.page.page_data import EVIDENCE_URL, fill_ledger, fill_queue
from entity_pipeline_tests.standins import GeminiStandin

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.needs_browser]
Connection = psycopg.Connection[Any]
SETTINGS = PAGE_PATH + "/-/settings"
PIXEL = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
# What we test: a form that is answered with a refusal, hostile suggestions that their sandbox stops, and a request
# that ends because the person goes on.
_EXPECTED = (
    "Failed to load resource: the server responded with a status of 4",
    "because the document's frame is sandboxed",
    'violates the following Content Security Policy directive: "img-src data:"',
    "htmx:afterRequest",
    "htmx:sendAbort",
)


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    with headless.browser() as running:
        yield running


@pytest.fixture
def site(app: FastAPI) -> Iterator[str]:
    with served(app) as address:
        yield address


Open = Callable[..., "Page"]


@pytest.fixture
def visit(chromium: "Browser", site: str) -> "Iterator[Open]":
    """Opens the page as a signed-in person by default; the options are the browser's."""
    troubles: list[str] = []
    opened = []

    def visit_as(
        path: str = PAGE_PATH, *, is_signed_in: bool = True, name: str = "Min-ji", **options: Any
    ) -> "Page":
        context = chromium.new_context(
            base_url=site, **{"timezone_id": "Asia/Seoul", "locale": "en-US", **options}
        )
        opened.append(context)
        context.set_default_timeout(15_000)
        context.route(
            "https://pictures.example/**",
            lambda route: route.fulfill(body=PIXEL, content_type="image/svg+xml"),
        )
        page = context.new_page()
        page.on(
            "console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: troubles.append(str(error)))
        if is_signed_in:
            sign_in(page, name=name)
        page.goto(path)
        return page

    yield visit_as
    for context in opened:
        context.close()
    assert [said for said in troubles if not any(part in said for part in _EXPECTED)] == []


def sign_in(page: "Page", token: str = TOKEN, name: str = "Min-ji") -> None:
    page.goto(SIGN_IN_PATH)
    page.fill("#name", name)
    page.fill("#token", token)
    page.click("main button")


def accounts(page: "Page") -> list[str]:
    page.wait_for_load_state()
    return [text.strip() for text in page.locator(".who-cell a").all_inner_texts()]


def has_come(holds: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """Whether the condition becomes true; the page's refreshing needs a moment."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# --- signing in ---


def test_signing_in_leads_to_the_requested_page_and_signing_out_works(visit: Open) -> None:
    page = visit(SETTINGS, is_signed_in=False)
    sign_in_page = page.url
    assert SIGN_IN_PATH in sign_in_page
    page.fill("#name", "Min-ji")
    page.fill("#token", TOKEN)
    page.click("main button")
    assert page.url.endswith(SETTINGS)
    page.click("#sign-out")
    page.goto(PAGE_PATH)
    assert SIGN_IN_PATH in page.url


def test_a_wrong_token_is_reported_and_shows_nothing(visit: Open) -> None:
    page = visit(SIGN_IN_PATH, is_signed_in=False)
    sign_in(page, token="not-the-token")
    assert "The token is wrong." in page.inner_text("#sign-in-problem")
    assert page.locator("#queue").count() == 0


# --- the scheduler ---


def test_the_scheduler_is_switched_on_and_off_with_the_name(visit: Open, assets: Connection) -> None:
    page = visit()
    for state, word in ((True, "On"), (False, "Off")):
        page.click("#switch")
        page.wait_for_url("**done=*")
        assert page.inner_text("#scheduler .badge >> nth=0") == word
        row = assets.execute(
            "select is_enabled, updated_by from pipeline_settings where platform = 'entity_enrichment'"
        ).fetchone()
        assert row == (state, "page:Min-ji")
    assert "It is switched off." in page.inner_text("#scheduler-next")


def test_switching_off_stops_a_running_backfill_and_the_reason_appears(
    visit: Open, assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    ended: dict[str, Any] = {}
    collected = threading.Event()
    assets = PostgresResource(url=assets_db.url)

    # Dagster runs an event loop of its own, and playwright holds the one of the main thread.
    def backfill(slow: GeminiStandin) -> None:
        gemini = GeminiResource(assets_db=assets, api_key="any", base_url=slow.url)
        with graph(assets_db, operation_db, gemini=gemini) as installation:
            installation.settings(instagram_backfill_enabled=False, concurrency=1)
            for day in (MONDAY, TUESDAY):
                installation.post(day, *(f"shop_{day.day}_{nth}" for nth in range(15)))
            installation.run("intake_job", MONDAY, TUESDAY)
            collected.set()
            installation.run("enrichment_job", MONDAY, TUESDAY, enrichment_config(100))
            (observed, *_) = installation.observations("gemini_reviews")
            ended.update(plain(observed.metadata))

    with GeminiStandin(latency_ms=300) as slow:
        running = threading.Thread(target=backfill, args=[slow], daemon=True)
        running.start()
        assert collected.wait(30)
        page = visit()
        assert page.inner_text("#scheduler .badge >> nth=0") == "On"
        assert has_come(lambda: slow.requests["total"] >= 2)
        page.click("#switch")
        page.wait_for_selector("text=Switched off.")
        running.join(30)
        asked = slow.requests["total"]
    assert "switched off" in ended["held_because"]
    assert ended["accounts_pending"] == 30 - ended["accounts_done"] > 0
    assert asked < 28
    assert "It is switched off." in page.inner_text("#scheduler-next")
    assert page.inner_text("#scheduler .badge >> nth=0") == "Off"


def test_the_figures_refresh_on_their_own_and_say_so(visit: Open, assets: Connection) -> None:
    page = visit()
    assert page.inner_text("#quota-used") == "0"
    fill_ledger(assets, today=7)
    page.evaluate("htmx.ajax('GET', location.pathname, {source: '#quota-now', target: '#quota-now'})")
    page.wait_for_function("document.getElementById('quota-used').textContent === '7'")
    assert page.inner_text("#announcer") == "7 of 1,450 used"


def test_the_counts_refresh_beside_a_filter_and_leave_it_alone(visit: Open, operation: Connection) -> None:
    fill_queue(operation, pending=1)
    page = visit()
    page.check("input[name=state][value=held]")
    page.wait_for_url("**state=held")
    page.evaluate("document.getElementById('facets-now').firstElementChild.id = 'before'")
    page.evaluate("document.activeElement.blur()")
    page.evaluate(
        "htmx.ajax('GET', location.pathname + location.search, {source: '#facets-now', target: '#facets-now'})"
    )
    assert has_come(lambda: page.locator("#before").count() == 0)
    assert page.is_checked("input[name=state][value=held]")
    assert page.url.endswith("?state=held")
    assert len(accounts(page)) == 2


# --- the queue and an account ---


def test_filter_search_open_an_account_follow_its_evidence_and_go_back(
    visit: Open, operation: Connection
) -> None:
    fill_queue(operation)
    page = visit()
    page.check("input[name=state][value=held]")
    page.wait_for_url("**state=held")
    assert has_come(lambda: len(accounts(page)) == 2)
    page.check("input[name=reason][value=below_threshold]")
    assert has_come(lambda: accounts(page) == ["haneul.stage"])
    page.check("input[name=reason][value='']")
    page.check("input[name=state][value='']")
    page.fill("#search", "amber")
    assert has_come(lambda: accounts(page) == ["amber.row"])
    assert page.url.endswith("?search=amber")
    page.click("text=amber.row")
    assert page.inner_text("h1") == "amber.row"
    assert page.locator("img[data-picture]").evaluate("picture => picture.naturalWidth") > 0
    link = page.locator(f"a[href='{EVIDENCE_URL}']")
    assert link.get_attribute("target") == "_blank"
    assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    suggestion = page.frame_locator("iframe").locator("a.chip")
    assert suggestion.get_attribute("href") == "https://www.google.com/search?q=amber+row"
    page.go_back()
    page.wait_for_selector(".who-cell >> text=amber.row")
    assert accounts(page) == ["amber.row"]
    assert page.input_value("#search") == "amber"
    page.go_forward()
    page.wait_for_url("**/amber.row")


def test_pages_go_forward_and_back_and_the_address_is_that_of_the_page(
    visit: Open, operation: Connection
) -> None:
    fill_queue(operation)
    page = visit(PAGE_PATH + "?search=shop_&sort=username")
    assert accounts(page)[0] == "shop_000"
    page.click("#page-next")
    assert has_come(lambda: accounts(page)[0] == "shop_050")
    assert "cursor=" in page.url
    page.reload()
    assert accounts(page)[0] == "shop_050"
    page.click("#page-previous")
    assert has_come(lambda: accounts(page)[0] == "shop_000")
    page.go_back()
    page.wait_for_selector("text=shop_050")
    assert accounts(page)[0] == "shop_050"


def test_without_javascript_forms_and_links_do_the_same(visit: Open, operation: Connection) -> None:
    fill_queue(operation)
    page = visit(java_script_enabled=False)
    page.check("input[name=state][value=failed]")
    page.click("#apply")
    assert accounts(page) == ["brokenreply.madeup"]
    assert page.locator("time").first.inner_text().endswith("UTC")
    page.click("#switch")
    assert page.inner_text("#scheduler .badge >> nth=0") == "On"


def test_the_keyboard_reaches_everything_in_order(visit: Open, operation: Connection) -> None:
    fill_queue(operation, pending=1)
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Overview"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "switch"
    page.focus("input[name=state][value='']")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**state=pending")
    assert has_come(lambda: accounts(page) == ["shop_000"])
    assert page.evaluate("document.activeElement.value") == "pending"


def test_a_finished_action_is_announced_once(visit: Open) -> None:
    page = visit()
    page.click("#switch")
    page.wait_for_selector("text=Switched on.")
    assert "done=" not in page.url
    page.reload()
    assert page.locator("text=Switched on.").count() == 0


def test_a_link_on_another_site_opens_the_page_without_signing_in_again(visit: Open) -> None:
    page = visit()
    home = page.url
    page.context.route(
        "https://chat.example/**",
        lambda route: route.fulfill(body=f"<a href='{home}'>alert</a>", content_type="text/html"),
    )
    page.goto("https://chat.example/")
    page.click("a")
    assert page.inner_text("h1") == "Instagram accounts"


def test_a_usual_handle_fits_on_one_line_of_the_list(visit: Open, operation: Connection) -> None:
    fill_queue(operation)
    at, said = "2026-11-20T00:00:00+00:00", ["ungrounded", "no_chunks", "no_support"]
    review = {"name_en": "Daily Runway (made up)", "account_type": "brand", "account_role": "primary"}
    enrichment = {
        "gemini_review": {"status": "reviewed", "reviewed_at": at, "review": review},
        "catalog_link": {"status": "held", "reviewed_at": at, "reasons": said},
    }
    insert_account(operation, "dailyrunway.madeup", enrichment)
    page = visit(PAGE_PATH + "?sort=newest_change", viewport={"width": 1280, "height": 900})
    name = page.locator(".who-cell a", has_text="dailyrunway.madeup")
    assert name.bounding_box()["height"] < 30  # type: ignore[index]


# --- limits ---


def test_a_bad_cap_is_explained_beside_its_field_for_eyes_and_ears(visit: Open, assets: Connection) -> None:
    page = visit(SETTINGS)
    page.fill("#accounts_per_tick", "many")
    page.click("#save")
    field = page.locator("#accounts_per_tick")
    assert field.get_attribute("aria-invalid") == "true"
    assert "accounts_per_tick-problem" in (field.get_attribute("aria-describedby") or "")
    assert (
        page.inner_text("#accounts_per_tick-problem")
        == "Must be a whole number, without a decimal point or comma."
    )
    assert field.input_value() == "many"
    page.fill("#accounts_per_tick", "900")
    page.click("#save")
    page.wait_for_selector("text=Saved.")
    assert assets.execute(
        "select settings from pipeline_settings where platform = 'entity_enrichment'"
    ).fetchone() == ({"accounts_per_tick": 900},)


def test_two_people_at_once_see_both_values(visit: Open) -> None:
    mine, theirs = visit(SETTINGS), visit(SETTINGS, name="Seo-yun")
    theirs.fill("#accounts_per_tick", "700")
    theirs.click("#save")
    mine.fill("#accounts_per_tick", "900")
    mine.click("#save")
    assert "page:Seo-yun" in mine.inner_text("#conflict")
    assert mine.inner_text("#accounts_per_tick-problem") == "Now: 700. Yours: 900."
    mine.click("#save")
    mine.wait_for_selector("text=Saved.")


# --- languages, zones, sizes ---


def test_the_page_is_shown_in_korean_and_in_the_viewers_time_zone(visit: Open, operation: Connection) -> None:
    fill_queue(operation, pending=1)
    page = visit(locale="ko-KR")
    assert page.inner_text("h1") == "인스타그램 계정"
    assert "꺼져 있습니다." in page.inner_text("#scheduler-next")
    quota = page.inner_text("#quota")
    assert "Asia/Seoul" in quota
    assert "00:00 P" in quota
    assert page.locator("#quota time").first.inner_text().count("오후") == 1
    page.click("text=English")
    assert page.inner_text("h1") == "Instagram accounts"
    page.goto(PAGE_PATH + "/amber.row")
    assert page.evaluate("document.documentElement.lang") == "en"


PAGES = ["", "?state=held", "/amber.row", "/haneul.stage", "/nobody", SETTINGS.removeprefix(PAGE_PATH)]


def test_no_page_is_wider_than_a_small_phone(visit: Open, operation: Connection, assets: Connection) -> None:
    fill_queue(operation)
    fill_ledger(assets)
    hostile = operation.execute(
        "select username from instagram_accounts where username like '@<b>%'"
    ).fetchone()
    assert hostile is not None
    page = visit(viewport={"width": 320, "height": 640})
    wide = {}
    for path in [*PAGES, "/" + quote(hostile[0], safe=""), "?lang=ko"]:
        page.goto(PAGE_PATH + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    assert wide == {}


# --- what may never run ---


def test_markup_in_names_and_texts_is_harmless(visit: Open, operation: Connection) -> None:
    fill_queue(operation, pending=0)
    hostile = operation.execute(
        "select username from instagram_accounts where username like '@<b>%'"
    ).fetchone()
    assert hostile is not None
    page = visit()
    assert accounts(page)[0].startswith("@<b>x</b><img src=x")
    page.locator(".who-cell a").first.click()
    assert page.inner_text("h1").startswith("@<b>x</b><img src=x")
    page.locator("iframe").scroll_into_view_if_needed()
    assert page.frame_locator("iframe").locator("a.chip").inner_text() == "amber row instagram"
    page.mouse.move(300, 300)
    for frame in page.frames:
        assert frame.evaluate("window.hacked === undefined")
    assert page.locator("main img:not([data-picture]), main script, [onerror], [onmouseover]").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0


# --- a server that is gone ---


def test_a_lost_server_is_reported_and_the_page_keeps_its_content(
    chromium: "Browser", app: FastAPI, operation: Connection
) -> None:
    fill_queue(operation, pending=1)
    context = chromium.new_context()
    page = context.new_page()
    with served(app) as site:
        page.goto(site + SIGN_IN_PATH)
        page.fill("#name", "x")
        page.fill("#token", TOKEN)
        page.click("main button")
        page.goto(site + PAGE_PATH)
    page.fill("#search", "amber")
    page.wait_for_selector("#connection:not([hidden])")
    assert "is not responding" in page.inner_text("#connection")
    assert "amber.row" in accounts(page)
    context.close()


# --- everybody ---


@pytest.mark.parametrize("language", ["en", "ko"])
def test_axe_finds_nothing_serious_on_any_page_in_light_and_dark(
    visit: Open, operation: Connection, assets: Connection, language: str
) -> None:
    fill_queue(operation, pending=3)
    fill_ledger(assets)
    axe = (Path(str(files("axe_playwright_python"))) / "axe.min.js").read_text("utf-8")
    page = visit(locale=language)
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        page.evaluate(axe)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            result = page.evaluate("axe.run(document, {resultTypes: ['violations'], iframes: false})")
            bad = [
                f"{fault['id']}: {fault['nodes'][0]['html'][:160]} {fault['nodes'][0]['failureSummary'][:200]}"
                for fault in result["violations"]
                if fault["impact"] in ("serious", "critical")
            ]
            if bad:
                found[f"{name} {scheme}"] = bad

    for path in PAGES:
        page.goto(PAGE_PATH + path)
        look(path)
    page.goto(SETTINGS)
    page.fill("#concurrency", "x")
    page.click("#save")
    look("settings with a problem")
    page.click("#sign-out")
    page.goto(SIGN_IN_PATH + "?problem=token")
    look("sign-in")
    assert found == {}
