"""The profile backfill of one account: look once, store the picture, fill what is empty.

Best effort: whatever Instagram or R2 do ends in a named outcome and never in an exception.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from entity_pipeline.core.failures import ConfigurationFailure, TransientFailure
from entity_pipeline.core.object_keys import picture_key
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.core.profiles import (
    InstagramAccess,
    InstagramProfile,
    InstagramWindows,
    ObjectStore,
    Picture,
    ProfileFetch,
    ProfileOutcome,
)
from entity_pipeline.domains.entities.logic.profiles import (
    Image,
    fields_to_write,
    is_reassigned,
    merge_profile_attempt,
    record_written,
)
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.queries.catalog_rows import load_account
from entity_pipeline.domains.entities.queries.enrichment import write_stage

STAGE = "profile_backfill"
MAX_ATTEMPTS = 5
# An account that is known to exist; when it can't be found either, "not found" says nothing.
CANARY = "instagram"
GIVE_UP_STORING_AFTER = (
    3  # failed uploads in one run; a wrong bucket should not cost a time-out for each picture
)


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
    _canary_passed: bool | None = None
    _failed_puts: int = 0

    def backfill(self, account_id: UUID) -> ProfileFetch | None:
        """One account; None when its row is gone or its username can't be a handle."""
        account = patiently(lambda: self._load(account_id))
        if account is None or account.handle is None:
            return None
        fetch = self.instagram.fetch_profile(account.handle, windows=self.windows, deadline=self.deadline)
        if fetch.outcome is ProfileOutcome.DEFERRED:  # nothing was sent, so there is nothing to write down
            return fetch
        canary = self._canary() if fetch.outcome is ProfileOutcome.NOT_FOUND else None
        image = self._store_picture(account, fetch.profile) if fetch.profile else None
        patiently(lambda: self._write(account_id, fetch, canary, image))
        return fetch

    def _load(self, account_id: UUID) -> Account | None:
        with self.operation_db.connection() as connection:
            return load_account(connection, account_id)

    def _canary(self) -> bool:
        if self._canary_passed is None:
            seen = self.instagram.fetch_profile(CANARY, windows=self.windows, deadline=self.deadline)
            self._canary_passed = seen.outcome is ProfileOutcome.FOUND
        return self._canary_passed

    def _store_picture(self, account: Account, profile: InstagramProfile) -> Image | None:
        if not profile.picture_url or is_reassigned(account.enrichment.get(STAGE), profile):
            return None
        if self._failed_puts >= GIVE_UP_STORING_AFTER:
            self._count("left_out:storage_is_down")
            return None
        picture = self.instagram.fetch_picture(profile.picture_url)
        if not isinstance(picture, Picture):
            self._count(f"refused:{picture.reason}")
            return None
        key = picture_key(picture.sha256, picture.content_type)
        try:
            url = self.pictures.put(key, picture.data, picture.content_type)
        except (TransientFailure, ConfigurationFailure) as failure:
            self._failed_puts += 1
            self._count(f"not_stored:{failure}")
            return None
        self._count("stored")
        return Image(
            key=key,
            url=url,
            sha256=picture.sha256,
            bytes=len(picture.data),
            content_type=picture.content_type,
        )

    def _count(self, outcome: str) -> None:
        self.picture_outcomes[outcome] = self.picture_outcomes.get(outcome, 0) + 1

    def _write(self, account_id: UUID, fetch: ProfileFetch, canary: bool | None, image: Image | None) -> None:
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
        image: Image | None,
        *,
        with_columns: bool,
    ) -> None:
        """Under the row's lock, so that a person's edit made meanwhile is seen and kept."""
        now = datetime.now(UTC)
        with self.operation_db.connection() as connection, connection.transaction():
            account = load_account(connection, account_id, for_update=True)
            if account is None:
                return
            previous = account.enrichment.get(STAGE)
            backfill = merge_profile_attempt(previous, fetch, now, canary, MAX_ATTEMPTS)
            columns: dict[str, str] = {}
            if fetch.profile is not None:
                image_url = image["url"] if image else None
                if with_columns:
                    columns = fields_to_write(account, fetch.profile, previous, image_url)
                backfill = record_written(backfill, columns, image)
            write_stage(connection, account_id, STAGE, backfill, columns)
