"""`evaluate`: stored insights measured against labelled blogs. Asks nothing and pays for nothing."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entity_pipeline.cli.services import services
from entity_pipeline.cli.simulated import simulated_sentence
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.gemini.access import stand_in_host
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.proportions import Share
from entity_pipeline.domains.influencers.insights.logic.evaluation import (
    DescribedBlog,
    InsightFigures,
    LabelledBlog,
    measure,
    read_labels,
)
from entity_pipeline.domains.influencers.insights.queries.insights import descriptions

_LARGEST_FILE_BYTES = 64_000_000
_SHOWN = 20


def evaluate(file: Path) -> None:
    """Print the figures of the stored insights of the labelled blogs.

    Raises:
        InputRejected: the file can't be used.
    """
    labelled = _labelled(file)
    with services() as built:
        host = stand_in_host(built.gemini.base_url)
        names = [one.username for one in labelled]
        stored = patiently_on(built.assets_db, lambda db: descriptions(db, names))
    described = {name: DescribedBlog(*found) for name, found in stored.items()}
    _print(Console(soft_wrap=True), measure(labelled, described), host)


def _labelled(file: Path) -> list[LabelledBlog]:
    if file.stat().st_size > _LARGEST_FILE_BYTES:
        raise InputRejected(f"{file.name} is larger than {_LARGEST_FILE_BYTES:,} bytes.")
    try:
        labelled, problems = read_labels(file.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise InputRejected(f"{file.name} is not UTF-8.") from None
    if problems:
        more = f"\n... and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
        raise InputRejected(f"{file.name} can't be used:\n" + "\n".join(problems[:_SHOWN]) + more)
    if not labelled:
        raise InputRejected(f"{file.name} labels no blog.")
    return labelled


def _print(console: Console, found: InsightFigures, host: str | None) -> None:
    console.print(f"{found.labelled:,} labelled blogs, {found.described:,} of them with insights.")
    table = Table("field", "blogs", "precision", "coverage", "evidence")
    if host is not None:
        table.caption = "simulated"
    for one in found.fields:
        table.add_row(
            one.path, f"{one.blogs:,}", _share(one.precision), _share(one.coverage), _share(one.evidence)
        )
    console.print(table)
    console.print(
        "Precision: of what was said, how much is right. Coverage: of what is true, how much was said. Evidence: of "
        "the right statements whose posts are labelled, how many name only posts that show it. In brackets: what the "
        "number of cases proves, with 95 % certainty."
    )
    for username, path, posts in found.wrong_evidence[:_SHOWN]:
        console.print(f"{escape(username)}: {path} rests on {escape(', '.join(posts) or 'no post')}")
    if (more := len(found.wrong_evidence) - _SHOWN) > 0:
        console.print(f"... and {more:,} more statements with other posts")
    if host is not None:
        console.print(simulated_sentence(host))


def _share(share: Share) -> Any:
    if share.share is None:
        return "–"
    low, high = share.interval
    return f"{share.share:.0%} of {share.total:,} ({low:.0%} to {high:.0%})"
