"""Instagram as a Dagster resource: governed sessions that run operations.

Nothing of it is imported until the first session, and nothing heavy until the first operation. Every attempt opens
what it needs and closes it, so one resource serves any number of threads.
"""

import os
import socket
from typing import Any
from uuid import uuid4

import dagster as dg
from pydantic import Field

from entity_pipeline.core.instagram.access import InstagramSession


class InstagramResource(dg.ConfigurableResource):
    """Instagram through the governor in the assets database; a `core.instagram.access.InstagramAccess`."""

    base_url: str | None = Field(
        default=None, description="Takes every Instagram and picture connection (INSTAGRAM_BASE_URL)."
    )
    session_keys: str | None = Field(
        default=None,
        repr=False,
        description="Keys of the pool's secrets, comma separated, newest first (INSTAGRAM_SESSION_KEYS).",
    )
    assets_db: dg.ResourceDependency[Any]  # a core.ports.Database; Dagster can't nest a bare protocol

    def session(self, domain: str, account: str | None = None) -> InstagramSession:
        """A session for one domain; with `account`, through that account of the pool only."""
        from entity_pipeline.resources.instagram.governor import Governor
        from entity_pipeline.resources.instagram.seating import Seating
        from entity_pipeline.resources.instagram.session import GovernedSession

        # Leases are held by this name; the fence of each tells the threads of a session apart.
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4()}"
        seating = Seating(self.assets_db, Governor(owner), only=account)
        return GovernedSession(domain, seating, self.session_keys or None, self.base_url or None)
