"""The profile backfill of one account: fetch the profile once, store the picture, fill empty columns.

Best effort: every failure of Instagram or R2 becomes a named outcome and never an exception. The asset decides which
accounts are fetched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from entity_pipeline.core.instagram.access import InstagramSession
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileLook
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import write_stage
from entity_pipeline.domains.entities.links.queries.catalog_rows import load_account
from entity_pipeline.domains.entities.models import Account
from entity_pipeline.domains.entities.profiles.logic.column_values import fields_to_write, is_reassigned
from entity_pipeline.domains.entities.profiles.logic.profile_record import (
    merge_attempt,
    picture_put_off,
    record_former,
    record_written,
)
from entity_pipeline.domains.entities.profiles.logic.stored_backfill import OtherRow
from entity_pipeline.domains.entities.profiles.pictures import NO_PICTURE, PictureResult, ProfilePictures
from entity_pipeline.domains.entities.profiles.queries.same_account import lock_same_account, mark_renamed
from entity_pipeline.shared.database.refusals import is_refusal, said_by

STAGE = "profile_backfill"
MAX_ATTEMPTS = 5
# A picture is fetched even when its profile took the last of the step's time, because its address expires.
PICTURE_TIME = timedelta(seconds=30)


@dataclass
class Backfiller:
    """Fetches profiles for one run, one after the other."""

    operation_db: Database
    instagram: InstagramSession
    pictures: ProfilePictures
    deadline: datetime
    columns_refused: int = 0  # accounts whose fields a constraint or trigger of the catalog refused
    refused: dict[str, str] = field(default_factory=dict)  # the message where it refused the attempt too
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    note: Callable[[UUID], object] = field(default=lambda _: None, repr=False)
    """Called with each account that was written, for the list."""

    def backfill(self, account_id: UUID) -> Result[InstagramProfile] | Deferred | None:
        """Backfill one account; None when its row is gone or its username is invalid. Deferred writes nothing."""
        account = patiently(lambda: self._load(account_id))
        if account is None or account.handle is None:
            return None
        ended = self.instagram.run(ProfileLook(account.handle), self.deadline)
        if isinstance(ended, Deferred):
            return ended
        picture = self._picture(account, ended.value) if ended.value else NO_PICTURE
        for written in patiently(lambda: self._write(account, ended, picture)):
            self.note(written)
        return ended

    def _load(self, account_id: UUID) -> Account | None:
        with self.operation_db.connection() as connection:
            return load_account(connection, account_id)

    def _picture(self, account: Account, profile: InstagramProfile) -> PictureResult:
        if not profile.picture_url or is_reassigned(account.enrichment.get(STAGE), profile):
            return NO_PICTURE
        return self.pictures.keep(profile.picture_url, max(self.deadline, self.clock() + PICTURE_TIME))

    def _write(
        self, account: Account, result: Result[InstagramProfile], picture: PictureResult
    ) -> Sequence[UUID]:
        """Returns the accounts that were written: this one, and rows of the same account under former handles."""
        try:
            return self._write_row(account.id, result, picture, with_columns=True)
        except psycopg.Error as refusal:
            if not is_refusal(refusal):
                raise
            self.columns_refused += 1
            return self._write_without_columns(account, result, picture)

    def _write_without_columns(
        self, account: Account, result: Result[InstagramProfile], picture: PictureResult
    ) -> Sequence[UUID]:
        """Record the attempt, although an unknown rule of the catalog refused its columns."""
        try:
            return self._write_row(account.id, result, picture, with_columns=False)
        except psycopg.Error as refusal:
            if not is_refusal(refusal):
                raise
            self.refused[account.username] = said_by(refusal)
            return ()

    def _write_row(
        self,
        account_id: UUID,
        result: Result[InstagramProfile],
        picture: PictureResult,
        *,
        with_columns: bool,
    ) -> Sequence[UUID]:
        """Write under the row's lock, so that a person's edit in the meantime is seen and kept."""
        now = self.clock()
        with self.operation_db.connection() as connection, connection.transaction():
            seen_id = result.value.instagram_id if result.value is not None else None
            others = lock_same_account(connection, account_id, seen_id) if seen_id is not None else ()
            account = load_account(connection, account_id, for_update=True)
            if account is None:
                return ()
            previous = account.enrichment.get(STAGE)
            backfill = merge_attempt(previous, result, now, MAX_ATTEMPTS)
            columns: dict[str, str] = {}
            if result.value is not None:
                if with_columns:
                    url = picture.stored.url if picture.stored else None
                    columns = fields_to_write(account, result.value, previous, url)
                backfill = record_written(backfill, columns, picture.stored)
                if picture.kind == "later":
                    backfill = picture_put_off(backfill, now, MAX_ATTEMPTS)
            former = others if seen_id == backfill["instagram_id"] else ()
            backfill = record_former(backfill, former)
            if write_stage(connection, account_id, STAGE, backfill, columns):
                here: OtherRow = {"account_id": str(account_id), "username": account.username}
                return [account_id, *mark_renamed(connection, former, here)]
        return [account_id]
