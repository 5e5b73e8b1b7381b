"""The influencers' page in a real browser: what a person does, sees and hears, and what may never run."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from fastapi import FastAPI

from entity_pipeline.admin.paths import SIGN_IN_PATH
from entity_pipeline.domains.influencers.page.addresses import PAGE_PATH
from entity_pipeline_tests import browser as headless
from entity_pipeline_tests.admin.installations import TOKEN
from entity_pipeline_tests.admin.serving import served
from entity_pipeline_tests.domains.influencers.page.page_data import fill_page, task

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(300)]
Connection = psycopg.Connection[Any]
Open = Callable[..., "Page"]
# A page that does not exist, and a request that ends because the person goes on.
_EXPECTED = ("the server responded with a status of 404", "htmx:afterRequest", "htmx:sendAbort")
PAGES = ("", "?status=active", "/mira.makes", "/hostile.madeup", "/blogger_0", "/nobody.here", "/-/settings")


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    with headless.browser() as running:
        yield running


@pytest.fixture
def visit(chromium: "Browser", app: FastAPI) -> "Iterator[Open]":
    """Opens a page as a signed-in person. An error in the console, or a violated policy, fails the test."""
    troubles: list[str] = []
    opened = []
    with served(app) as site:

        def visit_as(path: str = PAGE_PATH, **options: Any) -> "Page":
            context = chromium.new_context(base_url=site, **{"locale": "en-US", **options})
            opened.append(context)
            context.set_default_timeout(30_000)
            page = context.new_page()
            page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.goto(SIGN_IN_PATH)
            page.fill("#name", "Min-ji")
            page.fill("#token", TOKEN)
            page.click("main button")
            page.goto(path)
            return page

        yield visit_as
        for context in opened:
            context.close()
    assert [said for said in troubles if not any(part in said for part in _EXPECTED)] == []


def names(page: "Page") -> list[str]:
    page.wait_for_load_state()
    return [text.strip() for text in page.locator("#results-now .who-cell a").all_inner_texts()]


def test_filter_order_search_open_a_blog_and_go_back(visit: Open, assets: Connection) -> None:
    fill_page(assets)
    page = visit()
    page.check("input[name=status][value=private]")
    page.wait_for_url("**status=private")
    page.wait_for_function("document.querySelectorAll('#results-now .who-cell').length === 1")
    assert names(page) == ["blogger_3"]
    page.check("input[name=status][value='']")
    page.select_option("#sort", "er")
    page.wait_for_url("**sort=er")
    page.wait_for_function("document.querySelector('#results-now .who-cell a').innerText === 'blogger_5'")
    page.select_option("#sort", "followers")
    page.fill("#search", "mira")
    page.wait_for_url("**search=mira")
    page.wait_for_function("document.querySelectorAll('#results-now .who-cell').length === 1")
    assert page.url.endswith("?search=mira")
    page.click("text=mira.makes")
    assert page.inner_text("h1") == "mira.makes"
    page.go_back()
    page.wait_for_selector("#results-now .who-cell >> text=mira.makes")
    assert page.input_value("#search") == "mira"


def test_the_tasks_are_filtered_in_place_and_a_failed_one_is_tried_again(
    visit: Open, assets: Connection
) -> None:
    fill_page(assets)
    page = visit()
    page.select_option("#filter-task_status", "failed")
    page.wait_for_url("**task_status=failed")
    page.wait_for_function("document.querySelectorAll('.task-list .who-cell').length === 2")
    page.locator(".task-list button").first.click()
    page.wait_for_selector("text=The task will be tried again")
    newest = assets.execute("select status, priority from scrape_tasks order by id desc limit 1").fetchone()
    assert newest == ("pending", 1)


def test_blogs_are_asked_for_by_typing_and_enter(visit: Open, assets: Connection) -> None:
    page = visit()
    page.fill("#ask-usernames", "new.name, other_name")
    page.press("#ask-usernames", "Enter")
    page.wait_for_selector("text=2 new tasks were made.")
    page.click("text=See the tasks")
    assert page.locator(".task-list .who-cell").count() == 2
    assert assets.execute("select count(*) from blogs").fetchone() == (2,)


def test_the_figures_refresh_on_their_own(visit: Open, assets: Connection, app: FastAPI) -> None:
    page = visit()
    task(assets, "discover", "food")
    figures = app.state.shell.page("influencers").page.figures
    figures._tasks._cached = None
    page.evaluate("htmx.ajax('GET', location.pathname, {source: '#work-now', target: '#work-now'})")
    page.wait_for_function("document.querySelector('#work-table').innerText.includes('1')")


def test_without_javascript_forms_and_links_do_the_same(visit: Open, assets: Connection) -> None:
    fill_page(assets)
    page = visit(java_script_enabled=False)
    page.check("input[name=status][value=deleted]")
    page.click("#apply")
    assert names(page) == ["blogger_4"]
    page.click("#work-table a >> nth=0")
    assert page.locator(".task-list .who-cell").count() == 6


def test_nothing_of_a_hostile_blog_runs(visit: Open, assets: Connection) -> None:
    fill_page(assets)
    page = visit()
    for path in ("", "/hostile.madeup"):
        page.goto(PAGE_PATH + path)
        page.mouse.move(300, 300)
        assert page.evaluate("window.hacked === undefined")
        assert page.locator("main script, main img:not([data-picture]), [onerror]").count() == 0
        assert page.locator("a[href^='javascript']").count() == 0


def test_no_page_is_wider_than_a_small_phone(visit: Open, assets: Connection) -> None:
    fill_page(assets)
    page = visit(viewport={"width": 320, "height": 640})
    wide = {}
    for path in (*PAGES, "?lang=ko", "/mira.makes?lang=ko"):
        page.goto(PAGE_PATH + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    assert wide == {}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_axe_finds_nothing_serious_on_any_page_in_light_and_dark(
    visit: Open, assets: Connection, language: str
) -> None:
    fill_page(assets)
    axe = (Path(str(files("axe_playwright_python"))) / "axe.min.js").read_text("utf-8")
    page = visit(locale=language)
    found: dict[str, list[str]] = {}
    for path in (*PAGES, "/-/asked?made=2&no_username=1&refused=x!"):
        page.goto(PAGE_PATH + path)
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
                found[f"{path} {scheme}"] = bad
    assert found == {}
