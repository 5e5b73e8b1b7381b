"""Erase a person: keep the person out, end the work, remove pictures and files, then all rows at once.

Each step may be repeated. The rows are the only way to the pictures and to the ledger, so they go last, in one
transaction: an erasure that was interrupted anywhere does the rest when it is run again. What other people publish
about the person, mentions among it, is their content and stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.failures import DatabaseUnavailable, PipelineFailure
from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.gemini.batch import DeletedInputs
from entity_pipeline.core.instagram.picture import PictureDownload
from entity_pipeline.core.objects import ObjectStore
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.erasure.queries import person, tombstones
from entity_pipeline.domains.influencers.erasure.queries.person import StoredBlog
from entity_pipeline.domains.influencers.insights import STEP
from entity_pipeline.domains.influencers.models import PLATFORM
from entity_pipeline.shared.gemini_spend.forgotten import close_subjects, forget_subjects

NO_INPUTS = DeletedInputs(0)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to erase: by username, by numeric id, or by both."""

    username: str | None
    pk: int | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed.

    Attributes:
        rows: rows by table.
        pictures: stored pictures.
        requests: requests to Gemini whose texts were removed.
        log: requests to Instagram whose target was removed.
        inputs: input files that were deleted at Google, and batches under way, whose files Google deletes itself.
        inputs_problem: why files at Google could not be deleted, as a sentence; empty if they were.
    """

    rows: Mapping[str, int]
    pictures: int = 0
    requests: int = 0
    log: int = 0
    inputs: DeletedInputs = NO_INPUTS
    inputs_problem: str = ""


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases from one installation."""

    database: Database
    store: ObjectStore
    gemini: GeminiBatches

    def find(self, target: Target) -> list[StoredBlog]:
        """The blogs of the person; empty if nothing is stored."""
        return patiently_on(self.database, lambda db: person.find_person(db, target.username, target.pk))

    def erase(self, target: Target, blogs: Sequence[StoredBlog], who: str) -> Erased:
        """Remove the person with these blogs, which `find` gave, and keep the person out.

        Raises:
            PipelineFailure: the bucket or the database refused; what is left is removed by another call.
        """
        known = [
            target,
            *(Target(blog.username, blog.platform_id) for blog in blogs if blog.platform == PLATFORM),
        ]
        ids = [blog.blog_id for blog in blogs]
        patiently_on(self.database, lambda db: _keep_out(db, known, ids, who))
        inputs, problem = self._remove_files(ids)
        gone: set[str] = set()
        while True:
            removed = patiently_on(self.database, lambda db: _remove_rows(db, known, blogs, gone))
            if isinstance(removed, Erased):
                return Erased(removed.rows, len(gone), removed.requests, removed.log, inputs, problem)
            for key in removed:
                self.store.delete(key)
                gone.add(key)

    def _remove_files(self, ids: Sequence[UUID]) -> tuple[DeletedInputs, str]:
        """What was deleted at Google; or nothing, and why."""
        if not ids:
            return NO_INPUTS, ""
        try:
            return self.gemini.delete_inputs(STEP, [str(id_) for id_ in ids]), ""
        except DatabaseUnavailable:
            raise
        except PipelineFailure as failure:
            return NO_INPUTS, str(failure)


def take_in_again(connection: Connection[Any], usernames: Sequence[str]) -> None:
    """People who ask for it are not kept out any more, under whatever name or id they were erased."""
    tombstones.take_in(connection, [one for name in usernames for one in hashes(None, name)])


def _keep_out(connection: Connection[Any], known: Sequence[Target], ids: Sequence[UUID], who: str) -> None:
    with connection.transaction():
        tombstones.keep_out(connection, _hashes(known), who)
        person.end_tasks(connection, ids)


def _remove_rows(
    connection: Connection[Any], known: Sequence[Target], blogs: Sequence[StoredBlog], gone: set[str]
) -> Erased | list[str]:
    """Remove all rows, or return the keys of the pictures that must go before."""
    ids = [blog.blog_id for blog in blogs]
    subjects = [str(id_) for id_ in ids]
    with connection.transaction():
        person.lock(connection, ids)
        pictures = [key for key in person.own_pictures(connection, ids) if key not in gone]
        if pictures:
            return pictures
        rows = person.counts(connection, ids)
        requests = forget_subjects(connection, STEP, subjects)
        close_subjects(connection, STEP, subjects)
        log = person.blank_log(connection, _names(connection, known, ids))
        person.leave_searches(connection, {one.pk for one in known if one.pk is not None})
        person.remove(connection, {blog.person_id for blog in blogs})
    return Erased(rows, requests=requests, log=log)


def _names(connection: Connection[Any], known: Sequence[Target], ids: Sequence[UUID]) -> set[str]:
    """What requests to Instagram about the person had as their target."""
    usernames = {one.username for one in known if one.username is not None}
    pks = {str(one.pk) for one in known if one.pk is not None}
    paths = {PictureDownload(url).target for url in person.picture_addresses(connection, ids)} - {""}
    return usernames | pks | paths | set(person.posts_and_highlights(connection, ids))


def _hashes(known: Sequence[Target]) -> list[str]:
    return sorted({one for target in known for one in hashes(target.pk, target.username)})
