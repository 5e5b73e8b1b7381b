"""The profile backfill of one account: look once, store the picture, fill what is empty.

Best effort: whatever Instagram or R2 do ends in a named outcome and never in an exception.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.core.failures import ConfigurationFailure, NotConfigured, TransientFailure
from entity_pipeline.core.instagram.access import (
    InstagramAccess,
    InstagramProfile,
    Picture,
    ProfileFetch,
    ProfileOutcome,
)
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import write_stage
from entity_pipeline.domains.entities.links.queries.catalog_rows import load_account
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.profiles.logic.profile_record import (
    Image,
    fields_to_write,
    is_reassigned,
    merge_profile_attempt,
    picture_put_off,
    record_written,
)

STAGE = "profile_backfill"
PICTURES = "instagram/profile"  # the prefix of their keys; changing it would store every picture again
MAX_ATTEMPTS = 5
# An account that is known to exist; when it can't be found either, "not found" says nothing.
CANARY = "instagram"
GIVE_UP_STORING_AFTER = (
    3  # failed uploads in one run; a wrong bucket should not cost a time-out for each picture
)


class PutOff(Enum):
    """A picture that is there and could not be stored now."""

    STORAGE = "storage"


PUT_OFF = PutOff.STORAGE


@dataclass
class Backfiller:
    """Looks at profiles for one run, one after the other."""

    operation_db: Database
    instagram: InstagramAccess
    pictures: ObjectStore
    windows: InstagramWindows
    deadline: datetime
    picture_outcomes: dict[str, int] = field(default_factory=dict)
    columns_refused: int = 0  # accounts whose fields a constraint or trigger of the catalog did not take
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    _blind: set[str] = field(default_factory=set)  # sources that did not find the canary in this run
    _failed_puts: int = 0

    def backfill(self, account_id: UUID) -> ProfileFetch | None:
        """One account; None when its row is gone or its username can't be a handle."""
        account = patiently(lambda: self._load(account_id))
        if account is None or account.handle is None:
            return None
        fetch = self.instagram.fetch_profile(account.handle, windows=self.windows, deadline=self.deadline)
        if fetch.outcome is ProfileOutcome.DEFERRED:  # nothing was sent, so there is nothing to write down
            return fetch
        canary = self._canary(fetch) if fetch.outcome is ProfileOutcome.NOT_FOUND else None
        image = self._store_picture(account, fetch.profile) if fetch.profile else None
        patiently(lambda: self._write(account_id, fetch, canary, image))
        return fetch

    def _load(self, account_id: UUID) -> Account | None:
        with self.operation_db.connection() as connection:
            return load_account(connection, account_id)

    def _canary(self, fetch: ProfileFetch) -> bool | None:
        """Whether who said "not found" still finds an account that exists; None when it can't be asked now.

        Asked after each "not found" and by the same seat: a block shows strangers a 404 as well, it may have
        begun a moment ago, and another route says nothing about this one.
        """
        if fetch.source in self._blind:
            return False
        limits: dict[str, Any] = {"windows": self.windows, "deadline": self.deadline}
        seen = (
            self.instagram.fetch_profile(CANARY, **limits)
            if fetch.account is None
            else self.instagram.fetch_profile_as(fetch.account, CANARY, **limits)
        )
        if seen.outcome is ProfileOutcome.DEFERRED:
            return None
        if seen.outcome is not ProfileOutcome.FOUND:
            self._blind.add(fetch.source)
            return False
        return True if seen.source == fetch.source else None

    def _store_picture(self, account: Account, profile: InstagramProfile) -> Image | PutOff | None:
        if not profile.picture_url or is_reassigned(account.enrichment.get(STAGE), profile):
            return None
        if self._failed_puts >= GIVE_UP_STORING_AFTER:
            self._count("left_out:storage_is_down")
            return PUT_OFF
        picture = self.instagram.fetch_picture(profile.picture_url)
        if not isinstance(picture, Picture):
            self._count(f"refused:{picture.reason}")
            return None
        try:
            stored = self.pictures.put(PICTURES, picture.data, picture.content_type)
        except NotConfigured as failure:
            self._count(f"not_stored:{failure}")
            return None
        except (TransientFailure, ConfigurationFailure) as failure:
            self._failed_puts += 1
            self._count(f"not_stored:{failure}")
            return PUT_OFF
        self._count("stored")
        return Image(
            key=stored.key,
            url=stored.url,
            sha256=stored.sha256,
            bytes=stored.bytes,
            content_type=stored.content_type,
        )

    def _count(self, outcome: str) -> None:
        self.picture_outcomes[outcome] = self.picture_outcomes.get(outcome, 0) + 1

    def _write(
        self, account_id: UUID, fetch: ProfileFetch, canary: bool | None, image: Image | PutOff | None
    ) -> None:
        try:
            self._write_row(account_id, fetch, canary, image, with_columns=True)
        except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException):
            # A rule of the catalog that we do not know; the look itself must be remembered all the same.
            self._write_row(account_id, fetch, canary, image, with_columns=False)
            self.columns_refused += 1

    def _write_row(
        self,
        account_id: UUID,
        fetch: ProfileFetch,
        canary: bool | None,
        picture: Image | PutOff | None,
        *,
        with_columns: bool,
    ) -> None:
        """Under the row's lock, so that a person's edit made meanwhile is seen and kept."""
        now = self.clock()
        with self.operation_db.connection() as connection, connection.transaction():
            account = load_account(connection, account_id, for_update=True)
            if account is None:
                return
            previous = account.enrichment.get(STAGE)
            backfill = merge_profile_attempt(previous, fetch, now, canary, MAX_ATTEMPTS)
            columns: dict[str, str] = {}
            if fetch.profile is not None:
                image = None if isinstance(picture, PutOff) else picture
                image_url = image["url"] if image else None
                if with_columns:
                    columns = fields_to_write(account, fetch.profile, previous, image_url)
                backfill = record_written(backfill, columns, image)
                if picture is PUT_OFF:
                    backfill = picture_put_off(backfill, now, MAX_ATTEMPTS)
            write_stage(connection, account_id, STAGE, backfill, columns)
