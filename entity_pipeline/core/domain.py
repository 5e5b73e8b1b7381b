"""`Domain`: everything the shells and the shared services know of a domain. Everything else about it is its own.

`assembly.py` lists the domains; there is no other registration. A domain's `domain.py` makes the value out of its
settings model, its schema needs and functions that import inside: Dagster loads `domain.py` too, and must load neither
the page's FastAPI nor the command's libraries. How the parts are used does not belong here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from entity_pipeline.core.findings import Finding
from entity_pipeline.core.ports import Databases
from entity_pipeline.core.schema_needs import SchemaNeeds
from entity_pipeline.core.settings import DomainSettings

HealthCheck = Callable[[Databases], Iterable[Finding]]
"""One thing that `doctor` looks at. It may raise `PipelineFailure`; the other checks go on then."""


def _none() -> Sequence[Any]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One domain.

    Attributes:
        key: its name in the command, in addresses, before its alerts, as the tag of its runs and as group of its
            assets: ``influencers``. The folder in `domains/` has the same name.
        summary: one line for `--help`: what it makes of what.
        settings: the model of its row in `pipeline_settings`.
        definitions: gives what Dagster loads, as `dagster.Definitions` without resources.
        needs: what it needs of the databases beside the shared tables.
        health: gives its checks for `doctor`.
        alerts: gives what it tells people, a `core.alerts.AlertSource`; None if it has no alerts.
        page: gives what makes its `admin.page.Page` on an installation, such as the class; None without one.
        commands: gives its command group, a `cli.groups.DomainCommands`; None without one.
        sample: gives what the sandbox plays, a `sandbox.sample.Sample`; None without one. It must be a function of a
            module, since the stand-ins, a process of their own, find it by its name.
    """

    key: str
    summary: str
    settings: type[DomainSettings]
    definitions: Callable[[], Any]
    needs: SchemaNeeds = field(default_factory=SchemaNeeds)
    health: Callable[[], Sequence[HealthCheck]] = _none
    alerts: Callable[[], Any] | None = None
    page: Callable[[], Any] | None = None
    commands: Callable[[], Any] | None = None
    sample: Callable[[], Any] | None = None

    @property
    def row(self) -> str:
        """Its row in `pipeline_settings`, and the `pipeline` of its requests in the ledger and of its audit rows."""
        return self.settings.row
