"""The pages as a browser without JavaScript gets them: what they show, what they change, what never gets through."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.installation import Installation
from entity_pipeline.assembly import DOMAINS
from entity_pipeline.domains.influencers.page.addresses import PAGE_PATH
from entity_pipeline_tests.admin.installations import TOKEN, signed_in
from entity_pipeline_tests.domains.influencers.page.page_data import (
    AVATAR,
    BATCH,
    SCRIPT,
    blog,
    described_blog,
    fill_page,
    insert,
    task,
)

Connection = psycopg.Connection[Any]


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def csrf(person: TestClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', person.get(PAGE_PATH).text)
    assert found is not None
    return found[1]


def part(page: str, key: str) -> str:
    """The text of one section."""
    found = re.search(rf'<section[^>]* id="{key}".*?</section>', page, re.DOTALL)
    assert found is not None, key
    return text_of(found[0])


# --- the first page ---


@pytest.mark.parametrize("path", ["", "/mira.makes", "/-/asked", "/-/settings"])
def test_a_stranger_sees_nothing(client: TestClient, path: str) -> None:
    assert client.get(PAGE_PATH + path).status_code == 303


def test_an_empty_database_says_what_to_do(person: TestClient) -> None:
    page = text_of(person.get(PAGE_PATH).text)
    assert "There is no blog yet. Type usernames or a hashtag under Tasks by state" in page
    assert "There is no task yet." in page
    assert "No batch has been sent yet." in page
    assert "Posts, reels and highlights need an account of the pool" in page
    assert "It is switched off." in page


def test_the_tasks_are_counted_by_type_and_state_and_each_number_leads_to_its_list(
    person: TestClient, assets: Connection
) -> None:
    fill_page(assets)
    page = person.get(PAGE_PATH).text
    assert "Scrape 6 0 0 1 5 h" in part(page, "work")
    assert "Insights 0 1 0 1 –" in part(page, "work")
    assert "Hashtag 0 0 1 0 –" in part(page, "work")
    assert f"{PAGE_PATH}?task_status=failed&amp;task_type=ai_analysis#tasks" in page
    failed = part(person.get(PAGE_PATH + "?task_status=failed&task_type=ai_analysis").text, "tasks")
    assert "blogger_5 Insights" in failed
    assert "The answer could not be read" in failed
    assert "The answer reached the output limit before its end." in failed
    assert "blogger_4" not in failed


def test_batches_show_their_state_age_and_money_and_an_overdue_one_is_marked(
    person: TestClient, assets: Connection
) -> None:
    fill_page(assets)
    money = part(person.get(PAGE_PATH).text, "money")
    assert "Cost today $0.0018" in money
    assert re.search(r"Overdue influencers-0123456789abcdef-\S+… \$0\.0018 11 requests · open for 1 d", money)
    assert "Collected influencers-fedcba" in money
    assert "Gemini could not read the file." in money
    assert "11 requests · 0 answered · took 3 h" in money


def test_the_budget_shows_the_requests_of_this_domain_by_kind(person: TestClient, assets: Connection) -> None:
    fill_page(assets)
    budget = part(person.get(PAGE_PATH).text, "budget")
    assert "3 requests in the last 24 hours" in budget
    assert "Newest posts 2 1" in budget
    assert "Profile 1 0" in budget


def test_one_part_fails_alone(person: TestClient, assets: Connection) -> None:
    fill_page(assets)
    assets.execute("alter table gemini_batches rename to elsewhere")
    page = person.get(PAGE_PATH)
    assert page.status_code == 200
    assert "The ledger can't be read." in part(page.text, "money")
    assert "mira.makes" in part(page.text, "blogs")


def test_the_home_page_has_the_domain_with_its_backlog_and_money(
    person: TestClient, assets: Connection
) -> None:
    fill_page(assets)
    home = text_of(person.get("/admin").text)
    assert re.search(r"Influencers Scrapes bloggers .*? Off 6 tasks 5 h \$0\.0018 1 request", home), home


# --- the list of blogs ---


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["mira.makes", "blogger_5", "blogger_4", "blogger_3", "blogger_2", "blogger_1"]),
        ("sort=er", ["blogger_5", "blogger_4", "blogger_3", "mira.makes", "blogger_2", "blogger_1"]),
        ("sort=trend", ["mira.makes", "blogger_4", "blogger_1", "blogger_5", "blogger_2"]),
        ("sort=posts_per_week", ["mira.makes"]),
        ("status=private", ["blogger_3"]),
        ("category=art", ["mira.makes"]),
        ("category=none&sort=er", ["blogger_5"]),
        ("source=api", ["blogger_4", "blogger_1"]),
        ("search=MIRA", ["mira.makes"]),
        ("search=@blogger_3", ["blogger_3"]),
        ("search=made up", ["mira.makes"]),
    ],
)
def test_blogs_are_filtered_searched_and_ordered(
    person: TestClient, assets: Connection, query: str, names: list[str]
) -> None:
    fill_page(assets)
    page = person.get(f"{PAGE_PATH}?{query}").text
    found = re.findall(rf'who-cell"><a href="{PAGE_PATH}/([^"]+)"', page.partition('id="tasks"')[0])
    assert found[: len(names)] == names


def test_pages_of_blogs_go_forward_and_back_and_every_blog_comes_once(
    person: TestClient, assets: Connection
) -> None:
    wanted = set()
    for nth in range(120):
        blog(assets, f"name_{nth:03}", follower_count=nth // 3 or None, scrape_status="active")
        wanted.add(f"name_{nth:03}")
    seen: list[list[str]] = []
    address = PAGE_PATH
    for _ in range(3):
        page = person.get(address).text
        seen.append(re.findall(r"/influencers/(name_\d+)", page.partition('id="tasks"')[0]))
        following = re.search(r'id="page-next" rel="next" href="([^"#]+)', page)
        address = unescape(following[1]) if following else ""
    assert [len(names) for names in seen] == [50, 50, 20]
    assert address == ""
    assert set().union(*seen) == wanted
    back = re.search(r'id="page-previous" rel="prev" href="([^"#]+)', page)
    assert back is not None
    again = person.get(unescape(back[1])).text
    assert re.findall(r"/influencers/(name_\d+)", again.partition('id="tasks"')[0]) == seen[1]


@pytest.mark.parametrize("cursor", ["x", "WyJ4IiwwXQ", "bnVsbA", "%00", "9" * 399])
def test_a_forged_cursor_leads_to_the_first_page(person: TestClient, assets: Connection, cursor: str) -> None:
    fill_page(assets)
    page = person.get(f"{PAGE_PATH}?cursor={cursor}")
    assert page.status_code == 200
    assert "This page of the list no longer exists." in page.text or "Ignored because" in page.text


@pytest.mark.parametrize(
    "query", ["status=gone", "sort=x", "before=0", "task_type=x", "category=A%20B", "before=x"]
)
def test_an_unusable_filter_is_named_and_ignored(person: TestClient, assets: Connection, query: str) -> None:
    fill_page(assets)
    page = person.get(f"{PAGE_PATH}?{query}")
    assert page.status_code == 200
    assert "Ignored because it is not a valid value" in page.text
    assert "mira.makes" in page.text


# --- one blog ---


def test_every_statement_links_the_posts_that_it_rests_on(person: TestClient, assets: Connection) -> None:
    described_blog(assets)
    page = person.get(PAGE_PATH + "/mira.makes").text
    pets = re.search(r"<dt>Has pets</dt>.*?</dd>", page, re.DOTALL)
    assert pets is not None
    assert re.findall(r'href="([^"]+)"', pets[0]) == [
        "https://www.instagram.com/p/C0deA1/",
        "https://www.instagram.com/p/C0deA2/",
    ]
    text = text_of(page)
    assert "Has children Yes profile mum of two" in text
    assert "Slow living highlights" in text
    assert "2 statements were left out because they rest on nothing" in text
    assert "It is sensitive and does not quote the person." in text


def test_an_unknown_measure_says_why(person: TestClient, assets: Connection) -> None:
    described_blog(assets)
    text = text_of(person.get(PAGE_PATH + "/mira.makes").text)
    assert "Engagement rate 3.27% Engagement rate, reels – Too few posts." in text
    assert "Rest on 9 posts and 3 reels." in text
    assert "2 posts hide their likes and are left out." in text
    blog(assets, "fresh.name")
    assert "Engagement rate – Not scraped yet." in text_of(person.get(PAGE_PATH + "/fresh.name").text)


def test_hidden_likes_are_a_word_and_an_open_mark_never_a_zero(
    person: TestClient, assets: Connection
) -> None:
    described_blog(assets)
    page = person.get(PAGE_PATH + "/mira.makes").text
    assert page.count('class="dot dot-unknown"') == 2
    assert page.count('class="dot dot-reel"') == 2
    assert page.count('class="dot dot-post"') == 8
    assert text_of(page).count("likes not known") == 2
    assert re.search(r'<td class="num"><span class="muted">hidden</span></td>', page)


def test_the_cost_of_a_blog_is_that_of_its_requests(person: TestClient, assets: Connection) -> None:
    blog_id = described_blog(assets)
    insert(
        assets,
        "gemini_usage_events",
        pipeline="influencers",
        step="insights",
        model="m",
        state="released",
        subject=str(blog_id),
        cost_usd="5",
    )
    text = text_of(person.get(PAGE_PATH + "/mira.makes").text)
    assert "Cost of this blog $0.0018 Requests" in text
    assert "Never sent" in text


def test_pictures_come_only_from_our_bucket(installation: Installation, assets: Connection) -> None:
    described_blog(assets)
    bucket = "https://pictures.example/public"
    configuration = AdminConfiguration(TOKEN, picture_origin="https://pictures.example", picture_base=bucket)
    page = signed_in(create_app(DOMAINS, installation, configuration)).get(PAGE_PATH + "/mira.makes").text
    assert set(re.findall(r'<img src="([^"]+)"', page)) == {f"{bucket}/{AVATAR}"}
    without = signed_in(create_app(DOMAINS, installation, AdminConfiguration(TOKEN)))
    assert "<img" not in without.get(PAGE_PATH + "/mira.makes").text


@pytest.mark.parametrize("language", ["en", "ko"])
def test_markup_in_any_text_stays_text_and_no_stored_address_becomes_a_link(
    installation: Installation, assets: Connection, language: str
) -> None:
    fill_page(assets)
    configuration = AdminConfiguration(TOKEN, picture_base="https://pictures.example")
    person = signed_in(create_app(DOMAINS, installation, configuration))
    for path in ("", "/hostile.madeup", "?search=<script>", "?source=<b>", "?task_status=<b>"):
        answer = person.get(f"{PAGE_PATH}{path}", params={"lang": language} if "?" not in path else None)
        assert answer.status_code == 200, path
        assert SCRIPT not in answer.text
        assert "<script>window" not in answer.text
        assert "<img src=x" not in answer.text
        assert 'href="javascript' not in answer.text
        assert "evil.example" not in answer.text
        outside = set(re.findall(r'(?:href|src)="(https?://[^"]+)"', answer.text))
        assert all(
            address.startswith(
                ("https://www.instagram.com/", "http://127.0.0.1:3000", "https://mira.example")
            )
            for address in outside
        ), outside
    hostile = person.get(PAGE_PATH + "/hostile.madeup?lang=en").text
    assert "https://www.instagram.com/p/" not in hostile
    assert "rests on nothing that is stored" in hostile


@pytest.mark.parametrize("name", ["nobody.here", "a%00b", "%ed%a0%80", "x" * 300, "@", "..%2f..%2fadmin"])
def test_a_name_without_a_blog_is_not_found(person: TestClient, name: str) -> None:
    assert person.get(f"{PAGE_PATH}/{name}").status_code == 404


def test_a_blog_is_found_in_any_spelling(person: TestClient, assets: Connection) -> None:
    described_blog(assets)
    assert person.get(PAGE_PATH + "/@Mira.Makes").status_code == 200


# --- what people ask for ---


def test_usernames_and_hashtags_become_tasks_before_all_others(
    person: TestClient, assets: Connection
) -> None:
    task(assets, "discover", "food")
    sent = {
        "csrf_token": csrf(person),
        "usernames": "@New.Name, other_name not/a/name!",
        "hashtags": "#Food tea",
    }
    answer = person.post(PAGE_PATH + "/-/ask", data=sent)
    assert answer.status_code == 303
    text = text_of(person.get(answer.headers["location"]).text)
    assert "3 new tasks were made." in text
    assert "For 1 a task is open already." in text
    assert "1 can't be a username." in text
    assert "Not used: not/a/name!" in text
    rows = assets.execute("select task_type, priority from scrape_tasks order by id").fetchall()
    assert sorted(rows) == [("discover", 1), ("discover", 1), ("full_scrape", 1), ("full_scrape", 1)]


def test_nothing_typed_is_refused_in_words(person: TestClient) -> None:
    answer = person.post(PAGE_PATH + "/-/ask", data={"csrf_token": csrf(person), "usernames": " , "})
    assert answer.status_code == 422
    assert "type a username or a hashtag" in text_of(answer.text)


def test_scrape_now_makes_one_task_and_says_when_one_is_open(person: TestClient, assets: Connection) -> None:
    described_blog(assets)
    sent = {"csrf_token": csrf(person), "username": "mira.makes"}
    first, second = (person.post(PAGE_PATH + "/-/scrape", data=sent) for _ in range(2))
    assert "A scrape was asked for." in person.get(first.headers["location"]).text
    assert "such a task is open already" in person.get(second.headers["location"]).text
    assert assets.execute("select task_type, status, priority from scrape_tasks").fetchall() == [
        ("full_scrape", "pending", 1)
    ]


def test_a_failed_task_is_tried_again_once_and_keeps_its_record(
    person: TestClient, assets: Connection
) -> None:
    blog_id = described_blog(assets)
    failed = task(
        assets, "ai_analysis", blog_id, status="failed", outcome="error", completed_at=datetime.now(UTC)
    )
    sent = {"csrf_token": csrf(person), "task": str(failed)}
    for done in ("retried", "waiting"):
        answer = person.post(PAGE_PATH + "/-/retry", data=sent)
        assert answer.headers["location"] == f"{PAGE_PATH}?done={done}"
        assert {"retried": "will be tried again", "waiting": "is open already"}[done] in person.get(
            answer.headers["location"]
        ).text
    assert assets.execute("select status, priority from scrape_tasks order by id").fetchall() == [
        ("failed", 5),
        ("pending", 1),
    ]
    refused = person.post(PAGE_PATH + "/-/retry", data={**sent, "task": str(failed + 1)})
    assert refused.status_code == 422
    assert person.post(PAGE_PATH + "/-/retry", data={**sent, "task": "x" * 30}).status_code == 422


@pytest.mark.parametrize("path", ["ask", "retry", "scrape"])
def test_a_form_without_the_sessions_token_changes_nothing(
    person: TestClient, assets: Connection, path: str
) -> None:
    sent = {"csrf_token": "0" * 64, "usernames": "a.name", "username": "a.name", "task": "1"}
    assert person.post(f"{PAGE_PATH}/-/{path}", data=sent).status_code == 403
    assert assets.execute("select count(*) from scrape_tasks").fetchone() == (0,)


def test_a_username_of_an_address_never_leads_off_the_page(person: TestClient) -> None:
    sent = {"csrf_token": csrf(person), "username": "https://evil.example/x?y"}
    answer = person.post(PAGE_PATH + "/-/scrape", data=sent)
    assert answer.headers["location"].startswith(f"{PAGE_PATH}/https%3A%2F%2Fevil")


def test_the_limits_are_a_form_with_every_setting(person: TestClient) -> None:
    page = person.get(PAGE_PATH + "/-/settings").text
    for name in ("tasks_per_tick", "highlights_enabled", "insights_enabled", "insights_retention_days"):
        assert f'name="{name}"' in page


def test_insights_are_not_switched_on_before_a_person_acknowledged_them(
    person: TestClient, assets: Connection
) -> None:
    page = person.get(PAGE_PATH + "/-/settings").text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    shown = {name.removeprefix("was."): value for name, value in fields.items() if name.startswith("was.")}
    answer = person.post(PAGE_PATH + "/-/settings", data={**fields, **shown, "insights_enabled": "true"})
    assert "Insights describe living people." in text_of(answer.text)
    assert assets.execute(
        "select settings from pipeline_settings where platform = 'influencers'"
    ).fetchone() == ({},)


def test_the_batch_of_a_task_is_named(person: TestClient, assets: Connection) -> None:
    fill_page(assets)
    running = part(person.get(PAGE_PATH + "?task_status=running").text, "tasks")
    assert f"In the batch {BATCH[:20]}" in running


def test_older_tasks_are_reached_page_by_page(person: TestClient, assets: Connection) -> None:
    for nth in range(60):
        task(
            assets,
            "discover",
            f"tag{nth}",
            status="done",
            completed_at=datetime.now(UTC) - timedelta(hours=nth),
        )
    first = person.get(PAGE_PATH).text
    older = re.search(r'id="tasks-older" rel="next" href="([^"#]+)', first)
    assert older is not None
    second = part(person.get(unescape(older[1])).text, "tasks")
    assert re.findall(r"#(tag\d+)", second) == [f"tag{nth}" for nth in range(9, -1, -1)]
