"""`Domain`: everything the shells and the shared services know about a domain.

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
from entity_pipeline.core.trials import Trial

HealthCheck = Callable[[Databases], Iterable[Finding]]
"""One check of `doctor`. It may raise `PipelineFailure`; the other checks go on then."""


def _none() -> Sequence[Any]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One domain.

    Attributes:
        key: its name in the command, in addresses, as prefix of its alerts, as the tag of its runs and as group of its
            assets: ``influencers``. The folder in `domains/` has the same name.
        summary: one line for `--help`: what it turns into what.
        settings: the model of its row in `pipeline_settings`.
        definitions: gives what Dagster loads, as `dagster.Definitions` without resources.
        needs: what it needs of the databases beside the shared tables.
        health: gives its checks for `doctor`.
        trials: gives one write of each kind, which `doctor` tries and rolls back.
        alerts: gives its source of alerts, a `core.alerts.AlertSource`; None if it has no alerts.
        page: gives the function or class that makes its `admin.page.Page` for an installation; None without one.
        own_api: gives the function that makes its `admin.own_api.OwnApi` for an installation; None without one.
        commands: gives its command group, a `cli.groups.DomainCommands`; None without one.
        sample: gives its data for the sandbox, a `sandbox.sample.Sample`; None without one. It must be a module-level
            function, because the stand-ins run in a process of their own and import it by name.
    """

    key: str
    summary: str
    settings: type[DomainSettings]
    definitions: Callable[[], Any]
    needs: SchemaNeeds = field(default_factory=SchemaNeeds)
    health: Callable[[], Sequence[HealthCheck]] = _none
    trials: Callable[[], Sequence[Trial]] = _none
    alerts: Callable[[], Any] | None = None
    page: Callable[[], Any] | None = None
    own_api: Callable[[], Any] | None = None
    commands: Callable[[], Any] | None = None
    sample: Callable[[], Any] | None = None

    @property
    def row(self) -> str:
        """Its row in `pipeline_settings`, and the `pipeline` of its requests in the ledger and of its audit rows."""
        return self.settings.row
