"""A domain's part of the sandbox: made-up rows, the stand-ins' answers, the demo's run, and its expected results.

The rows and answers themselves do not belong here; they are in the domain's `sample`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import import_module
from typing import Any

import httpx2
from rich.console import Console

from entity_pipeline.core.audit import COMMAND_ACTOR, Actor
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.ports import JobRunner
from entity_pipeline.sandbox.gemini_answers import GeminiAnswers
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.instagram_scripts import TopPosts

# The demo's first cap on grounded requests: too small on purpose, so that "cap reached" occurs once.
SMALL_CAP = 300
# The author of the sandbox's settings, until a person changes them.
DEMO = Actor(COMMAND_ACTOR, "demo")
LONGEST_SAMPLE = timedelta(days=7)
"""The days of a sample's posts, which end with the day of the first demo."""


@dataclass(frozen=True, slots=True)
class Demo:
    """One run of the demo: the resources by key as attributes, the jobs, and where to print."""

    services: Any
    runner: JobRunner
    console: Console
    today: date


class Sample:
    """A domain's sample. A subclass overrides the domain's parts; `Domain.sample` makes a new one for each demo."""

    settings: Mapping[
        str, Any
    ] = {}  # of the domain's own row, in a sandbox whose settings nothing has changed yet
    gemini: GeminiAnswers | None = None

    def instagram_accounts(self) -> Iterable[SimulatedAccount]:
        """The profiles that the Instagram stand-in shows."""
        return ()

    def hashtags(self) -> Mapping[str, TopPosts]:
        """The top posts of hashtags, by tag without ``#``."""
        return {}

    def load(self, demo: Demo) -> None:
        """Insert the made-up rows into both databases; on any later day it inserts nothing more."""

    def run(self, demo: Demo) -> None:
        """Run the domain's stages over them until nothing is pending, and print a summary."""

    def problems(self, demo: Demo) -> Iterable[str]:
        """A sentence for each result that differs from the sample."""
        return ()


def references(domains: Iterable[Domain]) -> list[str]:
    """The samples of the domains as ``"package.module:function"``, for a process that knows no domain."""
    functions = (domain.sample for domain in domains if domain.sample is not None)
    return [f"{function.__module__}:{function.__qualname__}" for function in functions]


def samples_at(named: Iterable[str]) -> Sequence[Sample]:
    """The samples that `references` named."""
    found: list[Callable[[], Sample]] = []
    for reference in named:
        module, _, function = reference.partition(":")
        found.append(getattr(import_module(module), function))
    return [function() for function in found]


def requests_seen(base_url: str) -> Mapping[str, Any]:
    """The counts of the stand-in at the address, see `request_counts`."""
    answer: dict[str, Any] = httpx2.get(f"{base_url}/_standin/requests", trust_env=False).json()
    return answer
