"""The made-up blogger as the stand-in shows her, and the accounts of the pool that may ask it."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.queue.work_item import Work
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.instagram_scripts import (
    AccountScript,
    ScriptedHighlight,
    ScriptedPost,
    ScriptedStory,
)
from entity_pipeline_tests.domains.influencers.scraping.blogger import NAME, PK, work
from entity_pipeline_tests.resources.instagram.instagram_row import permit

COOKIES = {"csrftoken": "c", "sessionid": "1%3As3cret", "ds_user_id": "1"}
SESSION_KEY = Fernet.generate_key().decode()


def account(
    posts: int = 20, highlights: int = 7, *, plays_on_grid: bool = True, **script: Any
) -> SimulatedAccount:
    """A post every second day, the first one three days old; every third one is a reel."""
    day = int(time.time()) // 86_400 - 3
    shown = tuple(
        ScriptedPost(
            taken_at=(day - 2 * nth) * 86_400,
            kind="photo" if nth % 3 else "reel",
            caption=f"Day {nth} #Jeju @made.up.brand",
            likes=None if nth == 7 else 100 + nth,
            comments=10,
            plays=None if nth % 3 else 5_000,
            plays_on_grid=plays_on_grid,
            pinned=nth == posts - 1,
        )
        for nth in range(posts)
    )
    story = ScriptedStory(day * 86_400, ("made.up.brand",), ("https://shop.example/a",), ("Beach",))
    return SimulatedAccount(
        NAME,
        "Made Up",
        "바다",
        pk=PK,
        script=AccountScript(
            followers=10_000,
            posts=shown,
            highlights=tuple(ScriptedHighlight(f"Trip {nth}", (story,)) for nth in range(highlights)),
            **script,
        ),
    )


def add_to_pool(connection: psycopg.Connection[Any], *names: str, key: str = SESSION_KEY) -> None:
    """Accounts with a session each, which may ask without pauses."""
    permit(connection)
    for name in names:
        connection.execute(
            "insert into instagram_pool_accounts (username, route, session_secret) values (%s, 'direct', %s)",
            [name, SessionSecrets(key).seal_cookies(COOKIES)],
        )


def governed(
    database: Database, url: str, settings: InfluencerSettings | None = None, key: str = SESSION_KEY
) -> Work:
    """What a handler gets, with a session of the real governor that asks the stand-in at `url`."""
    session = InstagramResource(base_url=url, session_keys=key, assets_db=database).session(KEY)
    now = datetime.now(UTC)
    return replace(
        work(database, session, settings),
        deadline=now + timedelta(minutes=2),
        clock=lambda: datetime.now(UTC),
    )
