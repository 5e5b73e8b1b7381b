"""The language of the source: phrases that are not plain English for a reader of code, and that must not come back.

What reads well needs a reader; only phrases that a pattern can find without false alarms are listed here.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("entity_pipeline", "benchmarks", "deploy", "docs", "README.md", "CONTRIBUTING.md")
PHRASES = {
    r"\bsurprising\b": "say what is the case and why",
    r"(?<!there )\bis no (?!longer\b|more\b)\w": "is not a ...",
    r"\b(?:nobody|somebody|whoever)\b": "name the process, row, person or caller",
    r"\bwhat (?:came|comes|became|becomes) of\b": "the result of ...",
    r"\d a (?:day|hour|minute|second)\b|\b(?:row|run|column|line) a (?:day|domain|run|row|account)\b": "per ...",
    r"\btold\b": "sent, passed, given, called with",
    r"\bof before\b": "earlier, former",
    r"\bby itself\b": "on its own",
    r"(?:^|[.:] )Who (?:asks|comes|has|reads|waits|writes)\b": "subject first: a caller that ...",
    r"\bthings?\b": "name it",
}
# Inside the body of a function that databases have stored: the file is released, and a comment there is part of it.
ALLOWED = {"entity_pipeline/migrations/operation/20260101001200_enrichment_queue.sql: Nobody"}
WHOLE_TEXT = (".css", ".html", ".js", ".json", ".md", ".sql")


@cache
def prose_of(path: Path) -> str:
    """The comments and texts of a Python file, or all of another file."""
    if path.suffix != ".py":
        return path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    return "\n".join(token.string for token in tokens if token.type in (tokenize.COMMENT, tokenize.STRING))


def files() -> Iterator[Path]:
    """Every file with prose below the trees; htmx is not ours."""
    for path in (path for tree in TREES for path in ((ROOT / tree), *(ROOT / tree).rglob("*"))):
        if path.suffix in (".py", *WHOLE_TEXT) and "htmx" not in path.name:
            yield path


@pytest.mark.parametrize(("phrase", "instead"), PHRASES.items())
def test_a_phrase_is_not_used(phrase: str, instead: str) -> None:
    pattern = re.compile(phrase, re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        for match in pattern.finditer(prose_of(path))
    ]
    assert not set(found) - ALLOWED, f"write instead: {instead}"
