"""The stand-in seen through the real Instaloader, whose connections are led to it."""

from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from instaloader import InstaloaderContext, Profile
from instaloader.exceptions import ConnectionException, LoginRequiredException, ProfileNotExistsException
from PIL import Image
from requests.adapters import HTTPAdapter

from entity_pipeline.domains.entities.sample.instagram import simulated_accounts
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.sandbox.instagram_profiles import CANARY, former_pk_of, picture_url, pk_of
from entity_pipeline_tests.standins import InstagramStandin


class _ToStandin(HTTPAdapter):
    """Sends every request to the stand-in and keeps the Host header."""

    def __init__(self, base_url: str) -> None:
        super().__init__(max_retries=0)
        self._base_url = base_url

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        outgoing = request.copy()
        outgoing.headers["Host"] = urlsplit(request.url).hostname
        outgoing.url = self._base_url + request.path_url
        return super().send(outgoing, *args, **options)


class _Context(InstaloaderContext):
    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        super().__init__(sleep=False, quiet=True, max_connection_attempts=1, request_timeout=5)

    def get_anonymous_session(self) -> requests.Session:
        session = super().get_anonymous_session()
        session.mount("https://", _ToStandin(self._base_url))
        return session

    def error(self, msg: Any, repeat_at_end: bool = True) -> None:
        """Print nothing."""


@pytest.fixture
def standin() -> Iterator[InstagramStandin]:
    with InstagramStandin(latency_ms=0) as server:
        yield server


@pytest.fixture
def context(standin: InstagramStandin) -> Iterator[_Context]:
    with closing(_Context(standin.url)) as context:
        yield context


def _picture(standin: InstagramStandin, url: str) -> requests.Response:
    with requests.Session() as session:
        session.mount("https://", _ToStandin(standin.url))
        return session.get(url, timeout=5)


def test_real_instaloader_reads_every_field_from_one_page(
    standin: InstagramStandin, context: _Context
) -> None:
    profile = Profile.from_username(context, "lumenveil.madeup")
    node = profile._node
    assert profile.userid == pk_of("lumenveil.madeup")
    assert (profile.username, profile.full_name) == ("lumenveil.madeup", "Lumenveil (made up)")
    assert profile.biography == "Simulated profile: made-up Korean clothing label"
    assert node["bio_links"][0]["url"] == "https://lumenveil.madeup.example/"
    assert profile.followers >= 1_000
    assert profile.mediacount >= 0
    assert not profile.is_private
    assert not profile.is_verified
    assert node["id"] == node["pk"]
    assert standin.requests["by_subject"] == {"lumenveil.madeup": 1}


def test_a_real_account_gets_nothing_but_its_evidence(context: _Context) -> None:
    profile = Profile.from_username(context, "Prada")
    assert profile.biography == f"Simulated profile: {load_truth()['prada'].evidence}"
    assert profile._node["bio_links"] == []


def test_the_other_endpoint_gives_the_same_profile(context: _Context) -> None:
    profile = Profile(context, {"username": "celine", "pk": "1"})
    profile._obtain_metadata()
    assert (profile.userid, profile.full_name) == (pk_of("celine"), load_truth()["celine"].name_en)


@pytest.mark.parametrize(
    ("username", "expected"),
    [
        ("vanished.shop.madeup", ProfileNotExistsException),
        ("nobody.we.know", ProfileNotExistsException),
        ("newlayout.madeup", ProfileNotExistsException),
        ("zzx.wall.madeup", LoginRequiredException),
        ("zzy.challenge.madeup", ConnectionException),
        ("zzz.ratelimit.madeup", ConnectionException),
    ],
)
def test_instaloader_sees_each_refusal_as_the_real_one(
    context: _Context, username: str, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        Profile.from_username(context, username)


@pytest.mark.parametrize(
    ("username", "status", "location"),
    [
        ("vanished.shop.madeup", 404, None),
        ("newlayout.madeup", 200, None),
        ("zzx.wall.madeup", 302, "https://www.instagram.com/accounts/login/?next=%2Fzzx.wall.madeup%2F"),
        ("zzy.challenge.madeup", 302, "https://www.instagram.com/challenge/"),
        ("zzz.ratelimit.madeup", 429, None),
    ],
)
def test_the_last_answer_distinguishes_the_refusals(
    standin: InstagramStandin, username: str, status: int, location: str | None
) -> None:
    answer = requests.get(f"{standin.url}/{username}/", allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers.get("location")) == (status, location)


def test_a_challenge_leads_to_itself(standin: InstagramStandin) -> None:
    answer = requests.get(f"{standin.url}/challenge/", allow_redirects=False, timeout=5)
    assert answer.headers["location"] == "https://www.instagram.com/challenge/"


def test_a_drifted_page_still_shows_the_name_and_no_pk(standin: InstagramStandin) -> None:
    page = requests.get(f"{standin.url}/newlayout.madeup/", timeout=5).text
    assert '"username": "newlayout.madeup"' in page
    assert "xig_user_by_username" in page
    assert '"pk"' not in page


def test_private_and_reassigned_accounts_are_served_as_such(context: _Context) -> None:
    assert Profile.from_username(context, "closeddoor.madeup").is_private
    handed_over = Profile.from_username(context, "handedover.madeup")
    assert handed_over.userid != former_pk_of("handedover.madeup")


def test_a_picture_is_a_small_jpeg_with_the_same_bytes_each_time(
    standin: InstagramStandin, context: _Context
) -> None:
    url = Profile.from_username(context, "prada")._node["profile_pic_url"]
    first, second = _picture(standin, url), _picture(standin, url)
    assert urlsplit(url).hostname.endswith(".cdninstagram.com")
    assert first.headers["content-type"] == "image/jpeg"
    assert first.content == second.content
    assert Image.open(BytesIO(first.content)).size == (150, 150)


def test_pictures_of_two_accounts_differ(standin: InstagramStandin, context: _Context) -> None:
    urls = [Profile.from_username(context, name)._node["profile_pic_url"] for name in ("prada", "celine")]
    assert len({_picture(standin, url).content for url in urls}) == 2


def test_expired_edited_and_false_pictures_behave_as_named(
    standin: InstagramStandin, context: _Context
) -> None:
    expired = Profile.from_username(context, "expiredlogo.madeup")._node["profile_pic_url"]
    page = Profile.from_username(context, "notapicture.madeup")._node["profile_pic_url"]
    edited = Profile.from_username(context, "prada")._node["profile_pic_url"].replace("&oe=", "&oe=F")
    assert _picture(standin, expired).status_code == 403
    assert _picture(standin, edited).status_code == 403
    assert _picture(standin, page).headers["content-type"].startswith("text/html")


def test_another_host_gets_nothing(standin: InstagramStandin) -> None:
    answer = requests.get(f"{standin.url}/prada/", headers={"Host": "evil.example.com"}, timeout=5)
    assert answer.status_code == 421


def test_the_canary_is_there_whatever_chaos_does() -> None:
    with InstagramStandin(latency_ms=0, chaos=1) as standin, closing(_Context(standin.url)) as context:
        assert [Profile.from_username(context, CANARY).username for _ in range(20)] == [CANARY] * 20


def test_chaos_makes_plain_accounts_fail_in_more_than_one_way() -> None:
    statuses = set()
    with InstagramStandin(latency_ms=0, chaos=1) as standin, requests.Session() as session:
        for _ in range(150):
            try:
                url = f"{standin.url}/prada/"
                statuses.add(session.get(url, allow_redirects=False, timeout=5).status_code)
            except requests.ConnectionError:
                statuses.add(0)
    assert len(statuses) >= 5
    assert 200 in statuses


def test_chaos_shows_every_answer_that_a_page_is_known_to_give() -> None:
    statuses, pages = set(), []
    with InstagramStandin(latency_ms=0, chaos=1) as standin, requests.Session() as session:
        for number in range(600):
            try:
                name = ("prada", "gucci", "timberland")[number % 3]
                answer = session.get(f"{standin.url}/{name}/", allow_redirects=False, timeout=5)
            except requests.ConnectionError:
                continue
            statuses.add(answer.status_code)
            pages.append(answer.text)
    assert statuses == {200, 302, 400, 401, 403, 404, 429, 503}
    assert any('"biography": null' in page for page in pages)
    assert any('"xig_user_by_username": null' in page and '"pk"' not in page for page in pages)


def test_chaos_spoils_pictures_too() -> None:
    with InstagramStandin(latency_ms=0, chaos=1) as standin:
        seen = set()
        for account in simulated_accounts():
            try:
                answer = _picture(standin, str(picture_url(account)))
            except requests.ConnectionError:
                seen.add("dropped")
            else:
                seen.add(f"{answer.status_code} {answer.headers['Content-Type'].split(';')[0]}")
    assert seen >= {"200 image/jpeg", "200 text/html", "403 text/plain", "503 text/plain", "dropped"}


def test_health_and_counts_are_served(standin: InstagramStandin) -> None:
    assert requests.get(f"{standin.url}/_standin/health", timeout=5).status_code == 200
    assert requests.get(f"{standin.url}/_standin/requests", timeout=5).json()["total"] == 0
