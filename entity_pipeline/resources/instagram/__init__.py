"""Instagram as a Dagster resource: governed profiles, safe pictures.

Nothing heavy is imported until the first profile is asked for. Every call opens what it needs and closes it,
so one resource serves any number of threads.
"""

import os
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import dagster as dg
from pydantic import Field

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.instagram.access import (
    Picture,
    PictureRefused,
    ProfileFetch,
    ProfileOutcome,
)
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.resources.instagram.governor import Governor
from entity_pipeline.resources.instagram.session import ProfileReader
from entity_pipeline.resources.instagram.sessions import Vault

_RETRY = timedelta(minutes=15)


class InstagramResource(dg.ConfigurableResource):
    """Public profiles by way of the assets database's governor; a `core.profiles.InstagramAccess`."""

    base_url: str | None = Field(
        default=None, description="Takes every Instagram and picture connection (INSTAGRAM_BASE_URL)."
    )
    session_keys: str | None = Field(
        default=None,
        repr=False,
        description="Keys of the pool's secrets, comma separated, newest first (INSTAGRAM_SESSION_KEYS).",
    )
    assets_db: dg.ResourceDependency[Any]  # a core.ports.Database; Dagster can't nest a bare protocol

    def fetch_profile(self, username: str, *, windows: InstagramWindows, deadline: datetime) -> ProfileFetch:
        """One governed attempt. Never raises; waits seconds at most, and never beyond `deadline` (UTC)."""
        return self._fetch(username, windows, deadline)

    def fetch_profile_as(
        self, account: str, username: str, *, windows: InstagramWindows, deadline: datetime
    ) -> ProfileFetch:
        """The same with one account of the pool and its route, or not at all: to see whether they work."""
        return self._fetch(username, windows, deadline, only=account)

    def _fetch(
        self, username: str, windows: InstagramWindows, deadline: datetime, only: str | None = None
    ) -> ProfileFetch:
        try:
            return self._reader(only).fetch(username, windows, deadline)
        except ConfigurationFailure as failure:
            detail = str(failure)
        except Exception as error:  # noqa: BLE001 - the promise of the port: a profile never stops a review
            detail = f"The attempt broke off inside the pipeline ({type(error).__name__})."
        return ProfileFetch(ProfileOutcome.DEFERRED, detail=detail, next_at=datetime.now(UTC) + _RETRY)

    def fetch_picture(self, url: str) -> Picture | PictureRefused:
        """Download one picture of a profile safely. Never raises."""
        from entity_pipeline.resources.instagram.operations.picture import fetch_picture

        return fetch_picture(url, base_url=self.base_url or None)

    def _reader(self, only: str | None = None) -> ProfileReader:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4()}"
        return ProfileReader(
            database=self.assets_db,
            governor=Governor(owner),
            vault=Vault(self.session_keys or None),
            base_url=self.base_url or None,
            only=only,
        )
