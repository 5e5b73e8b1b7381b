"""The remark beside figures that rest on a stand-in."""

from rich.markup import escape


def simulated_sentence(host: str) -> str:
    """The remark beside figures from replies that did not come from Google."""
    return f"Answers come from {escape(host)}, not from Google: the figures are simulated."
