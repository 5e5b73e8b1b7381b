"""`erase`: remove a person everywhere, and keep the person out."""

from collections.abc import Sequence
from typing import Any

import click

from entity_pipeline.cli.confirmation import confirm
from entity_pipeline.cli.services import services
from entity_pipeline.cli.settings import who
from entity_pipeline.core.audit import Actor, audit_row
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.influencers.erasure.erase import Erased, Eraser, Target
from entity_pipeline.domains.influencers.erasure.queries.person import StoredBlog
from entity_pipeline.domains.influencers.settings import InfluencerSettings

_WORDS = {
    "blogs": ("blog", "blogs"),
    "posts": ("post", "posts"),
    "highlights": ("highlight", "highlights"),
    "categories": ("category of a blog", "categories of blogs"),
    "tasks": ("task", "tasks"),
}


def erase(name: str | None, pk: int | None, *, yes: bool) -> None:
    """Remove the person with this username, or this numeric id, and print what was removed.

    Raises:
        InputRejected: there is no usable name and no id, or a person said no.
        PipelineFailure: a database or the bucket refused; running it again removes the rest.
    """
    target = _target(name, pk)
    with services() as built:
        eraser = Eraser(built.assets_db, built.r2, built.gemini)
        blogs = eraser.find(target)
        for blog in blogs:
            click.echo(_shown(blog))
        if not blogs:
            click.echo("Nothing is stored about this person.")
        confirm("Remove everything about this person, and keep the person out from now on?", yes=yes)
        actor = who()
        # Before anything goes, so that no removal is without its row; it names no person.
        _record(built.operation_db, blogs, actor)
        erased = eraser.erase(target, blogs, actor.label)
    for line in _report(erased):
        click.echo(line)


def _target(name: str | None, pk: int | None) -> Target:
    if name is None and pk is None:
        raise InputRejected("Name the person to erase: USERNAME, or --id with the numeric id.")
    username = None if name is None else handle_or_none(name)
    if name is not None and username is None:
        raise InputRejected(
            f"'{one_line(name, 60)}' is not an Instagram username: for a numeric id use --id."
        )
    return Target(username, pk)


def _shown(blog: StoredBlog) -> str:
    parts = [
        blog.username,
        one_line(blog.full_name or "", 60),
        f"id {blog.platform_id}" if blog.platform_id is not None else "id not known yet",
        f"{blog.follower_count:,} followers" if blog.follower_count is not None else "",
        f"scraped {blog.scraped_at:%Y-%m-%d}" if blog.scraped_at is not None else "never scraped",
    ]
    return ", ".join(filter(None, parts))


def _record(operation_db: Any, blogs: Sequence[StoredBlog], actor: Actor) -> None:
    statement, values = audit_row(
        InfluencerSettings.row,
        "erase",
        actor=actor.user_id,
        table="persons",
        target_id=blogs[0].person_id if blogs else None,
        before={"blogs": len(blogs)},
        after=None,
        metadata={"who": actor.name or actor.channel, "channel": actor.channel},
    )
    with operation_db.connection() as connection:
        connection.execute(statement, values)


def _report(erased: Erased) -> list[str]:
    rows = [_number(erased.rows.get(table, 0), *words) for table, words in _WORDS.items()]
    lines = [
        "Removed: " + ", ".join([*rows, _number(erased.pictures, "stored picture", "stored pictures")]) + ".",
        f"Blanked: the texts of {_number(erased.requests, 'request', 'requests')} to Gemini, the targets of "
        f"{_number(erased.log, 'request', 'requests')} to Instagram. Counts and costs stay.",
    ]
    if erased.inputs.files:
        lines.append(
            f"Deleted at Google: {_number(erased.inputs.files, 'input file', 'input files')} of batches."
        )
    if erased.inputs_problem:
        lines.append(
            f"Input files at Google could not be deleted; Google deletes them within 48 hours: {erased.inputs_problem}"
        )
    if erased.inputs.under_way:
        lines.append(
            f"Under way at Google: {', '.join(erased.inputs.under_way)}. It holds other people too, so it goes on; "
            "Google deletes its input within 48 hours, and the answer about this person is not stored."
        )
    lines.append(
        "Files of results at Google can't be deleted by anyone; they expire there. Kept here: hashes of the username "
        "and the id, so that the person is not taken in again."
    )
    return lines


def _number(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
