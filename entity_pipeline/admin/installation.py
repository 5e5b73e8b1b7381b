"""The sources of the pages: the databases, settings, Gemini's ledger and Dagster's records of one installation.

Nothing connects before it is used. The figures belong to `figures.py` and to the domains' pages.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg

from entity_pipeline.admin.automation import Automation, automation_of
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.resources.settings_store import SettingsStore

_WANTED = ("operation_db", "assets_db", "settings", "gemini")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The sources, and `automation`, which has the domain of each run.

    `pipelines` has the key of each domain by its name in the ledger. `edit_url` is the address where people correct an
    account, `dagster_url` the Dagster UI; None leaves out the links.
    """

    operation_db: Database
    assets_db: Database
    settings: SettingsStore
    gemini: GeminiAccess
    dagster: DagsterRecords
    automation: Automation = field(default_factory=Automation)
    pipelines: Mapping[str, str] = field(default_factory=dict)
    dagster_url: str | None = None
    edit_url: str | None = None


@contextmanager
def installation_of_environment(
    domains: Sequence[Domain], *, dagster_url: str | None, edit_url: str | None
) -> Iterator[Installation]:
    """The installation that the environment names, with these domains; closes all connections at the end.

    Raises:
        ConfigurationFailure: a variable is missing or wrong.
    """
    automation = automation_of(domains)
    dagster = DagsterRecords(dagster_url, automation=automation)
    resources = resources_of_environment()
    try:
        with dg.build_resources({key: resources[key] for key in _WANTED}) as built:
            yield Installation(
                operation_db=built.operation_db,
                assets_db=built.assets_db,
                settings=built.settings,
                gemini=built.gemini,
                dagster=dagster,
                automation=automation,
                pipelines={domain.row: domain.key for domain in domains},
                dagster_url=dagster_url,
                edit_url=edit_url,
            )
    finally:
        dagster.close()
