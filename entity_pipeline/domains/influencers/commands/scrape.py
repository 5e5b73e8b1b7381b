"""`scrape` and `discover`: put tasks into the queue. Nothing is sent to Instagram here; the queue's runs do that."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from entity_pipeline.cli.services import services
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.settings import Closed
from entity_pipeline.core.text.csv_encoding import ERRORS, encoding_of
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.influencers.erasure.erase import take_in_again
from entity_pipeline.domains.influencers.queue.requests import (
    Answer,
    AskedBlog,
    ask_for_blogs,
    ask_for_hashtags,
)
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.tasks.rules import MOST_AT_ONCE

_SHOWN = 20
_LONGEST = 60


def scrape(names: Sequence[str], file: Path | None, *, priority: int, again: bool) -> None:
    """Make a task for each name, in any spelling; `again` takes in people who were erased and ask for it.

    Raises:
        InputRejected: there is no name, none of them is a username, or the file can't be read.
    """
    wanted = [*names, *(_lines(file) if file is not None else ())]
    if not wanted:
        raise InputRejected("Name the people to scrape, or a file with one name per line: --file FILE.")
    with services() as built:
        if again:
            usernames = [username for name in wanted if (username := handle_or_none(name)) is not None]
            with built.assets_db.connection() as connection:
                take_in_again(connection, usernames)
        answers: list[AskedBlog] = []
        for some in _chunks(wanted):
            with built.assets_db.connection() as connection:
                answers += ask_for_blogs(connection, some, priority)
        _report(answers)
        _say_what_holds_tasks(built)


def discover(hashtags: Sequence[str], *, priority: int) -> None:
    """Make a task for each hashtag.

    Raises:
        InputRejected: one of them is not a hashtag; those beside it have their task.
    """
    with services() as built:
        with built.assets_db.connection() as connection:
            answers = ask_for_hashtags(connection, hashtags, priority)
        for answer in answers:
            if answer.answer is Answer.MADE:
                click.echo(f"#{answer.hashtag}: task {answer.task_id} was made.")
            elif answer.answer is Answer.WAS_THERE:
                click.echo(f"#{answer.hashtag}: task {answer.task_id} is pending or running already.")
        _say_what_holds_tasks(built)
    wrong = [one_line(answer.given, _LONGEST) for answer in answers if answer.hashtag is None]
    if wrong:
        raise InputRejected(
            f"Not a hashtag: {', '.join(map(repr, wrong))}. It has letters, digits and underscores only."
        )


def _report(answers: Sequence[AskedBlog]) -> None:
    by_name: dict[str, AskedBlog] = {}
    for answer in answers:
        if answer.username is not None:
            by_name.setdefault(answer.username, answer)
    found = Counter(answer.answer for answer in by_name.values())
    wrong = [answer for answer in answers if answer.username is None]
    if found[Answer.MADE]:
        click.echo(f"{_tasks(found[Answer.MADE])} made.")
    if found[Answer.WAS_THERE]:
        click.echo(f"{_tasks(found[Answer.WAS_THERE])} pending or running already.")
    if found[Answer.ERASED]:
        erased = [name for name, answer in by_name.items() if answer.answer is Answer.ERASED]
        click.echo(
            f"Erased, and not taken in again: {_some(erased)}. Only if they ask for it themselves, add --again."
        )
    if wrong:
        given = [
            f"{one_line(answer.given, _LONGEST)!r} ({answer.why.value if answer.why else ''})"
            for answer in wrong
        ]
        click.echo(f"Not a username: {_some(given)}.", err=True)
    if not by_name:
        raise InputRejected(
            "None of these is an Instagram username: write the name, with or without @, or the profile's address."
        )


def _tasks(number: int) -> str:
    return "1 task is" if number == 1 else f"{number:,} tasks are"


def _some(texts: Sequence[str]) -> str:
    rest = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _say_what_holds_tasks(built: Any) -> None:
    state = built.settings.gate(InfluencerSettings)
    if isinstance(state, Closed):
        click.echo(f"Tasks wait: {state.reason}")


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), MOST_AT_ONCE):
        yield names[start : start + MOST_AT_ONCE]


def _lines(file: Path) -> list[str]:
    """The lines of a file that are not empty."""
    try:
        with file.open("rb") as stream:
            encoding = encoding_of(stream)
        text = file.read_text(encoding=encoding, errors=ERRORS)
    except (OSError, UnicodeError) as error:
        raise InputRejected(f"{file} can't be read ({getattr(error, 'strerror', None) or error}).") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
