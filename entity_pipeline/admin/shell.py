"""The parts of one server of the page: its installation, the domains with their pages, and the templates."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from jinja2 import Environment

from entity_pipeline.admin.configuration import AdminConfiguration
from entity_pipeline.admin.figures import Figures
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.page import Page
from entity_pipeline.admin.paths import PAGES_PATH
from entity_pipeline.core.domain import Domain


@dataclass(frozen=True, slots=True)
class MountedPage:
    """A domain and its page."""

    domain: Domain
    page: Page

    @property
    def key(self) -> str:
        """The domain's key."""
        return self.domain.key

    @property
    def path(self) -> str:
        """The path of the page."""
        return self.page.path

    @property
    def own_path(self) -> str:
        """The prefix of the shell's own addresses below the page; no account has a single hyphen as its name."""
        return f"{self.page.path}/-"

    @property
    def usual_path(self) -> str:
        """The usual path of a domain's page, which redirects to `path`."""
        return f"{PAGES_PATH}/{self.domain.key.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything that a handler needs, in `app.state.shell`."""

    domains: Sequence[Domain]
    installation: Installation
    configuration: AdminConfiguration
    figures: Figures
    pages: Sequence[MountedPage]
    templates: Environment

    def page(self, key: str) -> MountedPage:
        """The page of the domain with this key. Raises KeyError."""
        for mounted in self.pages:
            if mounted.key == key:
                return mounted
        raise KeyError(key)

    def page_at(self, path: str) -> MountedPage | None:
        """The page at an address, or None."""
        return next((m for m in self.pages if path == m.path or path.startswith(f"{m.path}/")), None)


def shell_of(request: Request) -> Shell:
    """A dependency: the shell of the server that handles the request."""
    shell: Shell = request.app.state.shell
    return shell
