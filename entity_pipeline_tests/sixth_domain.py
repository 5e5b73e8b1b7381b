"""The domain of docs/adding-a-domain.md, copied out of the page."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LISTING = re.compile(r"^\*\*([\w/.]+)\*\*\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(
    r"^And the line, in the list of `([\w/.]+)`:\n\n```\n(.*?\n)```$", re.MULTILINE | re.DOTALL
)
LAST_LINE = '    "influencers",\n'


def listings() -> dict[str, str]:
    """The files of the page by their paths below the package."""
    return dict(_LISTING.findall(_page()))


def write_domain(package: Path) -> None:
    """Put the files into a package folder, as a person would."""
    for path, content in listings().items():
        file = package / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def add_line(root: Path) -> None:
    """Put the one line of the page into the assembly of a copied tree."""
    [(path, line)] = _LINE.findall(_page())
    assembly = root / path
    text = assembly.read_text(encoding="utf-8")
    assert LAST_LINE in text
    assembly.write_text(text.replace(LAST_LINE, LAST_LINE + line), encoding="utf-8")


def _page() -> str:
    return (ROOT / "docs" / "adding-a-domain.md").read_text(encoding="utf-8")
